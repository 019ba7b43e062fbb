//! Where a delivery goes and what signs it, looked up for each attempt: the URL's rules, the webhook and its secrets may
//! have changed since the last.

use super::webhooks;
use crate::{Fault, Platform, crm};
use calls::crm::{header_owner, open_headers};
use calls::record::Record;
use calls::report::Kind;
use calls::report::outbox::{Delivery, Target};
use calls::report::signature;
use calls::report::webhooks::{Signing, Webhooks, secret_owner};
use calls::result::Push;
use calls::seal;
use calls::secret::Secret;
use http::Request;
use validation::WebhookUrl;

/// Where callback URLs stand among an organization's webhooks.
pub(crate) const CALLBACKS: &str = "callbacks";

/// Why nothing is sent.
pub(super) enum Refused {
    /// Its webhook was deleted or disabled.
    Unsubscribed,
    /// Its URL may no longer be sent to. In words for the tenant.
    NotAllowed(String),
    /// What signs it does not open: the operator's to mend, and until then nothing is sent unsigned.
    Unsigned,
}

/// Who is to be told, as it is configured now.
pub(super) struct Wanted {
    webhooks: Webhooks,
    push: Option<Push>,
}

impl Wanted {
    /// `pushed`: an agent's CRM is among them.
    pub(super) async fn now(
        host: &impl Platform,
        record: &Record,
        pushed: bool,
    ) -> Result<Wanted, Fault> {
        let push = match pushed {
            true => super::push(host, record, Kind::CallEnded).await?,
            false => None,
        };
        Ok(Wanted {
            webhooks: webhooks::read(host, &record.organization).await?,
            push,
        })
    }
}

/// The request of one attempt.
pub(super) fn request(
    host: &impl Platform,
    record: &Record,
    wanted: &Wanted,
    delivery: &Delivery,
    body: &str,
) -> Result<Request<Vec<u8>>, Refused> {
    let webhooks = &wanted.webhooks;
    let (url, signing, owner) = match &delivery.target {
        Target::Push => return push(host, record, wanted.push.as_ref(), delivery, body),
        Target::Callback => (
            record.callback_url.clone().unwrap_or_default(),
            webhooks.callbacks.as_ref(),
            CALLBACKS,
        ),
        Target::Webhook { id } => match webhooks.webhook(id) {
            Some(webhook) if webhook.disabled_at.is_none() => {
                (webhook.url.clone(), Some(&webhook.signing), id.as_str())
            }
            _ => return Err(Refused::Unsubscribed),
        },
    };
    let url = allowed(host, &url)?;
    let owner = secret_owner(&record.organization, owner);
    let secrets = signing.map_or(Some(Vec::new()), |signing| opened(host, signing, &owner));
    let secrets = secrets.ok_or(Refused::Unsigned)?;
    let mut request = Request::post(url.as_str())
        .header("content-type", "application/json")
        .header("user-agent", "Ringdown-Webhooks/1.0");
    for (name, value) in signature::headers(&delivery.id, host.now(), body, &secrets) {
        request = request.header(name, value);
    }
    request
        .body(body.as_bytes().to_vec())
        .map_err(|_| Refused::NotAllowed("the URL is none".to_owned()))
}

/// The request to the agent's CRM, with its own headers in place of a signature.
fn push(
    host: &impl Platform,
    record: &Record,
    push: Option<&Push>,
    delivery: &Delivery,
    body: &str,
) -> Result<Request<Vec<u8>>, Refused> {
    let push = push.ok_or(Refused::Unsubscribed)?;
    let url = allowed(host, &push.url)?;
    let owner = |name: &str| {
        header_owner(
            &record.organization,
            &record.agent.id,
            "post_call_push",
            name,
        )
    };
    let headers = open_headers(&host.settings().encryption_key, &push.headers, owner)
        .map_err(|_| Refused::Unsigned)?;
    let mut request = Request::builder()
        .method(push.method.as_str())
        .uri(url.as_str())
        .header("content-type", "application/json")
        .header("user-agent", "Ringdown-Webhooks/1.0");
    for (name, value) in signature::headers(&delivery.id, host.now(), body, &[]) {
        request = request.header(name, value);
    }
    let mut request = request
        .body(body.as_bytes().to_vec())
        .map_err(|_| Refused::NotAllowed("the URL is none".to_owned()))?;
    crm::set_headers(request.headers_mut(), headers);
    Ok(request)
}

fn allowed(host: &impl Platform, url: &str) -> Result<WebhookUrl, Refused> {
    WebhookUrl::parse(url, &host.settings().allowed_private_origins)
        .map_err(|why| Refused::NotAllowed(format!("the URL {}", why.text())))
}

/// The secrets that sign now, if all of them open.
fn opened(host: &impl Platform, signing: &Signing, owner: &str) -> Option<Vec<Secret>> {
    let key = &host.settings().encryption_key;
    signing
        .sealed_at(host.now())
        .map(|sealed| seal::open(key, owner, sealed))
        .collect()
}
