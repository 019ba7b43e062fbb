//! What was sent where and how that went, and sending it again.

use super::webhooks::{account, read};
use crate::reply::{self, Reply};
use crate::{Fault, Owner, Platform, access, body, documents, join, status};
use calls::config::Permission;
use calls::dialect::ringdown::Ringdown;
use calls::id::CallId;
use calls::list::{TIME, cursor, read_cursor, time};
use calls::problem::Problem;
use calls::report::call_of_delivery;
use calls::report::outbox::{self, Attempt, Delivery, Outbox, State};
use calls::report::webhooks::{Entry, series};
use http::Request;
use serde_json::{Value, json};
use validation::{Fields, Issue, Rule, query};

/// The largest page of deliveries, and the usual one.
const LARGEST: i64 = 100;
const USUAL: usize = 20;
/// How many entries one request to resend looks at, and how many deliveries it sends again, at most.
const LOOKED_AT: usize = 500;
const RESENT: usize = 100;
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
    let id = status::find_id(host, &account.organization.id, call).await?;
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
    let limit = fields.integer_within("limit", 1, LARGEST);
    let upto = fields.word("cursor", read_cursor, "a cursor of this list");
    fields.done().map_err(Problem::Invalid)?;
    known(host, &organization, webhook).await?;
    let limit = limit.map_or(USUAL, |limit| limit as usize);
    let page = page(host, &organization, webhook, upto, limit).await?;
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
    let organization = account(host, request).await?.organization.id;
    let call = status::find_id(host, &organization, call).await?;
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
    let from = fields.word("created_from", time, TIME);
    let before = fields.word("created_before", time, TIME);
    let mut upto = fields.word("cursor", read_cursor, "a cursor of this list");
    fields.done().map_err(Problem::Invalid)?;
    active(host, &organization, webhook).await?;
    let (mut looked_at, mut resent) = (0, 0);
    let next = loop {
        let page = page(host, &organization, webhook, upto, AT_ONCE).await?;
        looked_at += AT_ONCE;
        let past = page
            .found
            .last()
            .is_some_and(|(_, _, oldest)| from.is_some_and(|from| oldest.created_at < from));
        let wanted: Vec<_> = page
            .found
            .into_iter()
            .filter(|(_, _, delivery)| {
                delivery.state.word() == state.unwrap_or("dead")
                    && from.is_none_or(|from| from <= delivery.created_at)
                    && before.is_none_or(|before| delivery.created_at < before)
            })
            .collect();
        // What the bound cuts off is where the next request begins.
        let room = RESENT - resent;
        let cut = wanted.get(room).map(|(number, ..)| *number);
        for sent in join::all(
            wanted
                .iter()
                .take(room)
                .map(|(_, id, delivery)| again(host, *id, &delivery.id)),
        )
        .await
        {
            sent?;
            resent += 1;
        }
        upto = cut.or(page.next.filter(|_| !past));
        if upto.is_none() || cut.is_some() || looked_at >= LOOKED_AT {
            break upto;
        }
    };
    let shown = json!({
        "resent": resent,
        "has_more": next.is_some(),
        "next_cursor": next.map(cursor),
    });
    Ok(reply::json_reply(202, &shown))
}

fn resendable(word: &str) -> Option<&'static str> {
    let states = [State::Dead, State::Delivered, State::Cancelled];
    states
        .map(State::word)
        .into_iter()
        .find(|state| *state == word)
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

/// A page of a webhook's series.
struct Page {
    /// Each with its number.
    found: Vec<(u64, CallId, Delivery)>,
    /// The number the next page begins with.
    next: Option<u64>,
}

async fn page(
    host: &impl Platform,
    organization: &str,
    webhook: &str,
    upto: Option<u64>,
    limit: usize,
) -> Result<Page, Fault> {
    let owner = Owner::Organization(organization.to_owned());
    let entries = host.entries(&owner, &series(webhook), upto, limit).await?;
    let newest = upto.unwrap_or(u64::MAX).min(entries.last);
    let mut found = Vec::new();
    for some in entries.found.chunks(AT_ONCE) {
        let listed = join::all(
            some.iter()
                .map(|(number, text)| listed(host, *number, text)),
        );
        for delivery in listed.await {
            found.extend(delivery?);
        }
    }
    Ok(Page {
        found,
        next: Some(newest.saturating_sub(limit as u64)).filter(|next| *next > 0),
    })
}

/// The delivery an entry stands for, if it is the entry that counts.
async fn listed(
    host: &impl Platform,
    number: u64,
    text: &str,
) -> Result<Option<(u64, CallId, Delivery)>, Fault> {
    // An entry of a form this version does not know is left for the version that does.
    let Ok(entry) = serde_json::from_str::<Entry>(text) else {
        return Ok(None);
    };
    let Some(id) = CallId::parse(&entry.call) else {
        return Ok(None);
    };
    let outbox = outbox(host, id).await?;
    let counts = |delivery: &&Delivery| delivery.listed == Some(number);
    let delivery = outbox.delivery(&entry.delivery).filter(counts);
    Ok(delivery.map(|delivery| (number, id, delivery.clone())))
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
