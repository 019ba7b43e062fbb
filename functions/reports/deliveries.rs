//! What was sent where and how that went, and sending it again.

mod search;

use super::webhooks::{account, read};
use crate::reply::{self, Reply};
use crate::{Fault, Owner, Platform, access, body, documents, join, status};
use calls::config::Permission;
use calls::dialect::ringdown::Ringdown;
use calls::id::CallId;
use calls::list::cursor;
use calls::problem::Problem;
use calls::report::call_of_delivery;
use calls::report::outbox::{self, Attempt, Delivery, Outbox, State};
use http::Request;
use search::{Wanted, search};
use serde_json::{Value, json};
use validation::{Fields, Issue, Rule, either, query};

/// The largest page of deliveries, and the usual one.
const LARGEST: i64 = 100;
const USUAL: usize = 20;
/// How many deliveries one request sends again, at most.
const RESENT: usize = 100;
/// What the list can be asked for.
const FILTERS: [&str; 5] = [
    "limit",
    "cursor",
    "status",
    "created_from",
    "created_before",
];
/// How many outboxes are read at once.
const AT_ONCE: usize = 25;
/// How long after its request a delivery is sent again if the request was cut short, in seconds.
const SOON_S: u64 = 5;

/// `GET /v1/calls/{id}/deliveries`: every delivery of one call, in the order they were composed.
pub(crate) async fn of_call(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    call: &str,
) -> Result<Reply, Problem> {
    let account = access::check(host, request.headers(), Permission::ReadCalls).await?;
    let standing = status::find(host, &account.organization, call).await?;
    let id = standing.call_id()?;
    let outbox = outbox(host, id).await?;
    let shown: Vec<Value> = outbox
        .deliveries
        .iter()
        .map(|delivery| show(id, delivery))
        .collect();
    let shown = json!({ "data": shown, "has_more": false, "next_cursor": null });
    Ok(reply::json_reply(200, &shown))
}

/// `GET /v1/webhooks/{id}/deliveries`: newest first, a page at a time.
pub(crate) async fn of_webhook(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    webhook: &str,
) -> Result<Reply, Problem> {
    let organization = account(host, request).await?.organization.id;
    let asked = query::read(request.uri().query().unwrap_or_default());
    let asked = asked.map_err(Problem::Invalid)?;
    let mut fields = Fields::lenient(&asked);
    for name in asked
        .keys()
        .filter(|name| !FILTERS.contains(&name.as_str()))
    {
        // A filter that was misspelt would show every delivery.
        fields.refuse(name, Rule::Other("is no filter of this list".to_owned()));
    }
    let limit = fields.integer_within("limit", 1, LARGEST);
    let state = fields.word("status", State::parse_word, &either(&State::WORDS));
    let wanted = Wanted::read(&mut fields, state);
    fields.done().map_err(Problem::Invalid)?;
    known(host, &organization, webhook).await?;
    let limit = limit.map_or(USUAL, |limit| limit as usize);
    let page = search(host, &organization, webhook, &wanted, limit).await?;
    let shown: Vec<Value> = page
        .found
        .iter()
        .map(|(_, id, delivery)| show(*id, delivery))
        .collect();
    let shown = json!({
        "data": shown,
        "has_more": page.next.is_some(),
        "next_cursor": page.next.map(cursor),
    });
    Ok(reply::json_reply(200, &shown))
}

/// `GET /v1/webhooks/{id}/deliveries/{delivery}`: with the body that is sent.
pub(crate) async fn one(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    webhook: &str,
    delivery: &str,
) -> Result<Reply, Problem> {
    let organization = account(host, request).await?.organization.id;
    known(host, &organization, webhook).await?;
    let (id, outbox) = found(host, &organization, Some(webhook), delivery).await?;
    let delivery = outbox.delivery(delivery).ok_or(Problem::NoDelivery)?;
    let mut shown = show(id, delivery);
    shown["body"] = json!(outbox.bodies.get(delivery.body));
    Ok(reply::json_reply(200, &shown))
}

/// `POST /v1/webhooks/{id}/deliveries/{delivery}/resend`: under its old id, with its old body.
pub(crate) async fn resend(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    webhook: &str,
    delivery: &str,
) -> Result<Reply, Problem> {
    let organization = account(host, request).await?.organization.id;
    active(host, &organization, webhook).await?;
    let (id, _) = found(host, &organization, Some(webhook), delivery).await?;
    let shown = again(host, id, delivery).await?;
    Ok(reply::json_reply(202, &shown))
}

/// `POST /v1/calls/{id}/deliveries/{delivery}/resend`: also what goes to no webhook.
pub(crate) async fn resend_of_call(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    call: &str,
    delivery: &str,
) -> Result<Reply, Problem> {
    let organization = account(host, request).await?.organization;
    let standing = status::find(host, &organization, call).await?;
    let call = standing.call_id()?;
    let organization = organization.id;
    let (id, outbox) = found(host, &organization, None, delivery).await?;
    if id != call {
        return Err(Problem::NoDelivery);
    }
    if let Some(webhook) = outbox
        .delivery(delivery)
        .and_then(|delivery| delivery.target.webhook())
    {
        active(host, &organization, webhook).await?;
    }
    let shown = again(host, id, delivery).await?;
    Ok(reply::json_reply(202, &shown))
}

/// `POST /v1/webhooks/{id}/deliveries/resend`: many at once, by state and time. Says how many, and where to go on.
pub(crate) async fn resend_many(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    webhook: &str,
) -> Result<Reply, Problem> {
    let organization = account(host, request).await?.organization.id;
    let asked = body::object(&Ringdown, request)?;
    let mut fields = Fields::lenient(&asked);
    let state = fields.word("status", resendable, "dead, delivered or cancelled");
    let wanted = Wanted::read(&mut fields, state.or(Some(State::Dead.word())));
    fields.done().map_err(Problem::Invalid)?;
    active(host, &organization, webhook).await?;
    let page = search(host, &organization, webhook, &wanted, RESENT).await?;
    for some in page.found.chunks(AT_ONCE) {
        let sent = some
            .iter()
            .map(|(_, id, delivery)| again(host, *id, &delivery.id));
        for sent in join::all(sent).await {
            sent?;
        }
    }
    let shown = json!({
        "resent": page.found.len(),
        "has_more": page.next.is_some(),
        "next_cursor": page.next.map(cursor),
    });
    Ok(reply::json_reply(202, &shown))
}

/// What is still on its way needs no resending.
fn resendable(word: &str) -> Option<&'static str> {
    State::parse_word(word).filter(|word| *word != "pending")
}

/// Sends a delivery again. The wake-up asked for first brings it about if this is cut short.
async fn again(host: &impl Platform, id: CallId, delivery: &str) -> Result<Value, Problem> {
    let now = host.now();
    host.wake_at(id, now.plus_s(SOON_S)).await?;
    let shown = documents::change(
        host,
        &Owner::Call(id),
        outbox::DOCUMENT,
        |outbox: &mut Outbox| {
            outbox.resend(delivery, now);
            outbox.delivery(delivery).map(|delivery| show(id, delivery))
        },
    )
    .await?;
    // If this does not work, the one asked for above does.
    let _ = host.wake_at(id, now).await;
    shown.ok_or(Problem::NoDelivery)
}

/// Refuses a webhook the organization does not have.
async fn known(host: &impl Platform, organization: &str, webhook: &str) -> Result<(), Problem> {
    let webhooks = read(host, organization).await?;
    webhooks
        .webhook(webhook)
        .map(|_| ())
        .ok_or(Problem::NoWebhook)
}

/// Refuses a webhook to which nothing is sent: what would be sent again would be cancelled.
async fn active(host: &impl Platform, organization: &str, webhook: &str) -> Result<(), Problem> {
    let webhooks = read(host, organization).await?;
    match webhooks.webhook(webhook) {
        None => Err(Problem::NoWebhook),
        Some(webhook) if webhook.disabled_at.is_some() => {
            let rule = Rule::Other("is disabled: enable it first".to_owned());
            Err(Problem::Invalid(vec![Issue::new("webhook", rule)]))
        }
        Some(_) => Ok(()),
    }
}

/// The call and outbox a delivery of the organization is in. Its id leads there.
async fn found(
    host: &impl Platform,
    organization: &str,
    webhook: Option<&str>,
    delivery: &str,
) -> Result<(CallId, Outbox), Problem> {
    let id = call_of_delivery(delivery).ok_or(Problem::NoDelivery)?;
    let key = host.settings().signing_key.expose().as_bytes();
    if CallId::of_run(key, organization, id.run()) != id {
        return Err(Problem::NoDelivery);
    }
    let outbox = outbox(host, id).await?;
    let known = outbox
        .delivery(delivery)
        .is_some_and(|delivery| webhook.is_none() || delivery.target.webhook() == webhook);
    known.then_some((id, outbox)).ok_or(Problem::NoDelivery)
}

async fn outbox(host: &impl Platform, id: CallId) -> Result<Outbox, Fault> {
    documents::read(host, &Owner::Call(id), outbox::DOCUMENT).await
}

fn show(call: CallId, delivery: &Delivery) -> Value {
    let next = match delivery.state {
        State::Pending { next } => Some(next.rfc3339()),
        State::Delivered | State::Dead | State::Cancelled => None,
    };
    json!({
        "id": delivery.id,
        "to": delivery.target.word(),
        "webhook_id": delivery.target.webhook(),
        "event": delivery.kind,
        "call_id": call.to_string(),
        "status": delivery.state.word(),
        "created_at": delivery.created_at.rfc3339(),
        "next_attempt_at": next,
        "attempts": delivery.attempts.iter().map(show_attempt).collect::<Vec<_>>(),
    })
}

fn show_attempt(attempt: &Attempt) -> Value {
    json!({
        "at": attempt.at.rfc3339(),
        "status_code": attempt.status,
        "latency_ms": attempt.ms,
        "error": attempt.error,
        "answer": attempt.answer,
    })
}
