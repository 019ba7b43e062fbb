//! `POST /v1/webhooks`: a subscription is entered once, however often a request with an idempotency key is repeated.

use super::webhooks::{account, change, every_kind, new_secret, show};
use crate::idempotency::{self, Intent};
use crate::reply::{self, Reply};
use crate::{Fault, Owner, Platform, body, documents};
use calls::config::VERSION;
use calls::dialect::ringdown::Ringdown;
use calls::problem::Problem;
use calls::report::Kind;
use calls::report::webhooks::{MOST, Signing, Webhook, secret_owner};
use calls::{seal, secret};
use http::Request;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use validation::{Fields, Issue, Rule, WebhookUrl};

/// What the requests with one idempotency key came to: a document of the organization.
#[derive(Default, Serialize, Deserialize)]
struct Keyed {
    #[serde(default)]
    v: u32,
    first: Option<First>,
}

/// The first of them, and what it was answered.
#[derive(Clone, Serialize, Deserialize)]
struct First {
    fingerprint: String,
    webhook: Webhook,
    /// Whether it is known to have been entered: from then on it may have been deleted again.
    entered: bool,
}

/// `POST /v1/webhooks`: the only answer that shows the secret.
pub(crate) async fn create(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
) -> Result<Reply, Problem> {
    let organization = account(host, request).await?.organization.id;
    let asked = body::object(&Ringdown, request)?;
    let intent = idempotency::to_do(request, "webhook", &asked)?;
    let (url, events) = wanted(&asked, &host.settings().allowed_private_origins)?;
    let id = match &intent {
        Some(intent) => intent.name(host, &organization, "webhook"),
        None => secret::hex(&host.random()),
    };
    let id = format!("wh_{}", &id[..24]);
    let webhook = Webhook {
        url,
        events,
        signing: Signing::new(new_secret(host, &organization, &id).1),
        created_at: host.now(),
        disabled_at: None,
        id,
    };
    match &intent {
        Some(intent) => create_once(host, &organization, webhook, intent).await,
        None => {
            enter(host, &organization, &webhook).await?;
            answer(host, &organization, &webhook)
        }
    }
}

/// Enters the webhook of the first request with this key, and answers with that.
async fn create_once(
    host: &impl Platform,
    organization: &str,
    mine: Webhook,
    intent: &Intent,
) -> Result<Reply, Problem> {
    let id = mine.id.clone();
    let first = keyed(host, organization, &id, |first| {
        let first = first.get_or_insert_with(|| First {
            fingerprint: intent.fingerprint.clone(),
            webhook: mine.clone(),
            entered: false,
        });
        first.clone()
    })
    .await?;
    if first.fingerprint != intent.fingerprint {
        return Err(Problem::IdempotencyConflict);
    }
    if !first.entered {
        if let Err(refused) = enter(host, organization, &first.webhook).await {
            // Nothing was made: the key is free for another body.
            let forget = |first: &mut Option<First>| *first = None;
            keyed(host, organization, &id, forget).await?;
            return Err(refused);
        }
        let entered = |first: &mut Option<First>| {
            if let Some(first) = first {
                first.entered = true;
            }
        };
        keyed(host, organization, &id, entered).await?;
    }
    let mut reply = answer(host, organization, &first.webhook)?;
    if first.webhook != mine {
        reply::set(&mut reply, reply::REPLAYED, "true");
    }
    Ok(reply)
}

async fn keyed<T>(
    host: &impl Platform,
    organization: &str,
    id: &str,
    mut change: impl FnMut(&mut Option<First>) -> T,
) -> Result<T, Fault> {
    let owner = Owner::Organization(organization.to_owned());
    let name = format!("webhook-created/{id}");
    documents::change(host, &owner, &name, |keyed: &mut Keyed| {
        keyed.v = VERSION;
        change(&mut keyed.first)
    })
    .await
}

/// Puts it among the organization's webhooks, where it stands once.
async fn enter(host: &impl Platform, organization: &str, webhook: &Webhook) -> Result<(), Problem> {
    let entered = change(host, organization, |webhooks| {
        if webhooks.webhook(&webhook.id).is_some() {
            return true;
        }
        let room = webhooks.webhooks.len() < MOST;
        if room {
            webhooks.webhooks.push(webhook.clone());
        }
        room
    })
    .await?;
    if !entered {
        let rule =
            format!("cannot be added: the organization has {MOST} webhooks, the most it may have");
        return Err(Problem::Invalid(vec![Issue::new("url", Rule::Other(rule))]));
    }
    Ok(())
}

fn answer(host: &impl Platform, organization: &str, webhook: &Webhook) -> Result<Reply, Problem> {
    let owner = secret_owner(organization, &webhook.id);
    let secret = seal::open(
        &host.settings().encryption_key,
        &owner,
        &webhook.signing.sealed,
    );
    let secret = secret.ok_or_else(|| {
        Problem::Broken(format!("{owner} does not open: another ENCRYPTION_KEY?"))
    })?;
    let mut shown = show(webhook);
    shown["secret"] = json!(secret.expose());
    Ok(reply::json_reply(201, &shown))
}

/// What is to be sent where. `target_url` and `event` are what Zapier's own examples call them.
fn wanted(asked: &Map<String, Value>, allowed: &[String]) -> Result<(String, Vec<Kind>), Problem> {
    let mut fields = Fields::lenient(asked);
    let url = match fields.get("target_url") {
        Some(_) => "target_url",
        None => "url",
    };
    let text = fields.required_text(url);
    if fields.get(url).is_some_and(Value::is_string)
        && let Err(why) = WebhookUrl::parse(&text, allowed)
    {
        fields.refuse(url, Rule::Other(why.text().to_owned()));
    }
    let words = match (fields.get("events"), fields.get("event")) {
        (None, Some(_)) => fields.text("event").map(|word| vec![word]),
        (None, None) => {
            fields.refuse("events", Rule::Missing);
            None
        }
        _ => fields.texts("events"),
    };
    let mut events = Vec::new();
    for word in words.iter().flatten() {
        match Kind::parse(word) {
            Some(kind) if !events.contains(&kind) => events.push(kind),
            Some(_) => {}
            None => fields.refuse(
                "events",
                Rule::Other(format!("must each be {}", every_kind())),
            ),
        }
    }
    if words.is_some_and(|words| words.is_empty()) {
        fields.refuse(
            "events",
            Rule::Other(format!("must hold at least one: {}", every_kind())),
        );
    }
    fields.done().map_err(Problem::Invalid)?;
    Ok((text, events))
}
