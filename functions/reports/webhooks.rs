//! `/v1/webhooks`: an organization's subscriptions to reports.

pub(crate) use super::destination::CALLBACKS;
use crate::access::{self, Account};
use crate::list;
use crate::reply::{self, Reply};
use crate::{Fault, Owner, Platform, documents};
use calls::config::{Permission, VERSION};
use calls::problem::Problem;
use calls::report::webhooks::{DOCUMENT, OVERLAP_S, Signing, Webhook, Webhooks, secret_owner};
use calls::report::{Kind, sample, signature};
use calls::seal;
use calls::secret::Secret;
use calls::time::Time;
use http::Request;
use serde_json::{Value, json};
use validation::{Fields, either, query};

/// How many of the newest reports a sample shows.
const SAMPLES: usize = 3;

/// An organization's webhooks as they stand.
pub(crate) async fn read(host: &impl Platform, organization: &str) -> Result<Webhooks, Fault> {
    documents::read(
        host,
        &Owner::Organization(organization.to_owned()),
        DOCUMENT,
    )
    .await
}

/// Changes them, all at once or not at all.
pub(crate) async fn change<T>(
    host: &impl Platform,
    organization: &str,
    mut change: impl FnMut(&mut Webhooks) -> T,
) -> Result<T, Fault> {
    let owner = Owner::Organization(organization.to_owned());
    documents::change(host, &owner, DOCUMENT, |webhooks: &mut Webhooks| {
        webhooks.v = VERSION;
        change(webhooks)
    })
    .await
}

/// Sends nothing more to a webhook whose receiver answered 410.
pub(super) async fn disable(
    host: &impl Platform,
    organization: &str,
    id: &str,
    at: Time,
) -> Result<(), Fault> {
    change(host, organization, |webhooks| {
        if let Some(webhook) = webhooks.webhook_mut(id) {
            webhook.disabled_at.get_or_insert(at);
        }
    })
    .await
}

pub(super) async fn account(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
) -> Result<Account, Problem> {
    access::check(host, request.headers(), Permission::ManageWebhooks).await
}

pub(super) fn every_kind() -> String {
    either(&Kind::ALL.map(Kind::word))
}

/// A fresh secret, in clear and sealed.
pub(super) fn new_secret(
    host: &impl Platform,
    organization: &str,
    webhook: &str,
) -> (Secret, String) {
    let secret = signature::new_secret([host.random(), host.random()]);
    let sealed = seal::seal(
        &host.settings().encryption_key,
        &secret_owner(organization, webhook),
        &secret,
        host.random(),
    );
    (secret, sealed)
}

pub(super) fn show(webhook: &Webhook) -> Value {
    json!({
        "id": webhook.id,
        "url": webhook.url,
        "events": webhook.events,
        "status": if webhook.disabled_at.is_some() { "disabled" } else { "active" },
        "created_at": webhook.created_at.rfc3339(),
        "disabled_at": webhook.disabled_at.map(Time::rfc3339),
    })
}

/// `GET /v1/webhooks`: all of them, oldest first.
pub(crate) async fn all(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
) -> Result<Reply, Problem> {
    let organization = account(host, request).await?.organization.id;
    let webhooks = read(host, &organization).await?;
    let shown: Vec<Value> = webhooks.webhooks.iter().map(show).collect();
    let shown = json!({ "data": shown, "has_more": false, "next_cursor": null });
    Ok(reply::json_reply(200, &shown))
}

/// `GET /v1/webhooks/{id}`
pub(crate) async fn one(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    id: &str,
) -> Result<Reply, Problem> {
    let organization = account(host, request).await?.organization.id;
    let webhooks = read(host, &organization).await?;
    let webhook = webhooks.webhook(id).ok_or(Problem::NoWebhook)?;
    Ok(reply::json_reply(200, &show(webhook)))
}

/// `DELETE /v1/webhooks/{id}`: what is still on its way to it is cancelled. `callbacks` stands for the secret that
/// signs reports to callback URLs.
pub(crate) async fn delete(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    id: &str,
) -> Result<Reply, Problem> {
    let organization = account(host, request).await?.organization.id;
    // Once there, it is deleted whenever this is done: by the first try, whose answer may be lost, or by somebody else.
    let mut deleted = false;
    change(host, &organization, |webhooks| {
        if id == CALLBACKS {
            deleted |= webhooks.callbacks.take().is_some();
            return;
        }
        deleted |= webhooks.webhook(id).is_some();
        webhooks.webhooks.retain(|webhook| webhook.id != id);
    })
    .await?;
    match deleted {
        true => Ok(reply::empty(204)),
        false => Err(Problem::NoWebhook),
    }
}

/// `POST /v1/webhooks/{id}/rotate`: a new secret, beside which the old one signs for a day. `callbacks` gets its first.
pub(crate) async fn rotate(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    id: &str,
) -> Result<Reply, Problem> {
    let organization = account(host, request).await?.organization.id;
    let (secret, sealed) = new_secret(host, &organization, id);
    let now = host.now();
    let rotated = change(host, &organization, |webhooks| {
        let signing = match id {
            CALLBACKS => &mut webhooks.callbacks,
            _ => {
                let webhook = webhooks.webhook_mut(id)?;
                webhook.signing.rotate(sealed.clone(), now);
                return Some((show(webhook), true));
            }
        };
        let earlier = |signing: &Signing| signing.sealed != sealed || !signing.previous.is_empty();
        let replaced = signing.as_ref().is_some_and(earlier);
        match signing {
            Some(signing) => signing.rotate(sealed.clone(), now),
            None => *signing = Some(Signing::new(sealed.clone())),
        }
        Some((json!({ "id": CALLBACKS }), replaced))
    })
    .await?;
    let (mut shown, replaced) = rotated.ok_or(Problem::NoWebhook)?;
    let until = replaced.then(|| now.plus_s(OVERLAP_S).rfc3339());
    shown["secret"] = json!(secret.expose());
    shown["previous_secret_valid_until"] = json!(until);
    Ok(reply::json_reply(200, &shown))
}

/// `POST /v1/webhooks/{id}/enable`: sends to a webhook again that a 410 had disabled.
pub(crate) async fn enable(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    id: &str,
) -> Result<Reply, Problem> {
    let organization = account(host, request).await?.organization.id;
    let enabled = change(host, &organization, |webhooks| {
        let webhook = webhooks.webhook_mut(id)?;
        webhook.disabled_at = None;
        Some(show(webhook))
    })
    .await?;
    let shown = enabled.ok_or(Problem::NoWebhook)?;
    Ok(reply::json_reply(200, &shown))
}

/// `GET /v1/webhooks/sample?event=`: a list of bodies as they are sent, newest first, for tools that let their users
/// map fields: of the organization's last calls, or of an invented one while there are none.
pub(crate) async fn samples(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
) -> Result<Reply, Problem> {
    let organization = account(host, request).await?.organization.id;
    let asked = query::read(request.uri().query().unwrap_or_default());
    let asked = asked.map_err(Problem::Invalid)?;
    let mut fields = Fields::lenient(&asked);
    let kind = fields.word("event", Kind::parse, &every_kind());
    fields.done().map_err(Problem::Invalid)?;
    let kind = kind.unwrap_or(Kind::CallEnded);
    let calls = list::ended(host, &organization, SAMPLES).await?;
    let mut bodies: Vec<Value> = calls
        .iter()
        .filter_map(|standing| sample::of_call(kind, &standing.record, &standing.call))
        .collect();
    if bodies.is_empty() {
        bodies.extend(sample::invented(kind, &organization));
    }
    Ok(reply::json_reply(200, &json!(bodies)))
}
