//! Reports out: composed once when a call has ended, then delivered from the call's outbox until each has arrived, is
//! dead or was cancelled. Every step can be cut short anywhere and is gone through again.

pub(crate) mod deliveries;
mod destination;
pub(crate) mod subscribe;
pub(crate) mod webhooks;

use crate::ledger::Standing;
use crate::{Fault, Owner, Platform, SendError, aftermath, documents, join, settle, store};
use calls::config::VERSION;
use calls::dialect;
use calls::id::CallId;
use calls::record::Record;
use calls::report::outbox::{self, Attempt, Delivery, Finished, Outbox, State, Target};
use calls::report::schedule::{self, Verdict};
use calls::report::webhooks::{Entry, Webhooks, series};
use calls::report::{Head, Kind, body};
use calls::result::{Push, push_body};
use calls::time::Time;
use destination::{Refused, Wanted};
use http::{Request, Response};
use serde_json::Value;
use std::rc::Rc;

/// How long a receiver may take to answer.
const ANSWER_MS: u64 = 10_000;
/// How many attempts of one call are under way at once: a Worker has six connections.
const AT_ONCE: usize = 6;
/// How long a wake-up goes on to claim deliveries, in seconds; the next one takes up what is left.
const ROUND_S: u64 = 20;
/// How much of a receiver's answer is kept, in characters.
const EXCERPT: usize = 200;

/// Whether the reports of one kind were composed.
pub(crate) async fn composed(host: &impl Platform, id: CallId, kind: Kind) -> Result<bool, Fault> {
    let outbox: Outbox = documents::read(host, &Owner::Call(id), outbox::DOCUMENT).await?;
    Ok(outbox.has(kind))
}

/// Composes the reports of one kind, about what happened at `at`, unless that was done before. What is said is frozen
/// with it.
pub(crate) async fn compose(
    host: &impl Platform,
    id: CallId,
    standing: &Standing,
    kind: Kind,
    at: Time,
) -> Result<(), Fault> {
    if composed(host, id, kind).await? {
        return Ok(());
    }
    // Also where nobody is to be told: who subscribes later is not told of what was before.
    let mut targets = targets(host, standing, kind).await?;
    let push = match answered(standing) {
        true => None,
        false => push(host, &standing.record, kind).await?,
    };
    targets.extend(push.is_some().then_some(Target::Push));
    let now = host.now();
    change(host, id, |outbox| {
        let head = Head {
            kind,
            at,
            sequence: outbox.next_sequence(),
        };
        let reports = targets.iter().map(|target| {
            let said = said(&head, standing, target, push.as_ref());
            (target.clone(), said.to_string())
        });
        outbox.compose(VERSION, id, kind, reports.collect(), now);
    })
    .await
}

/// Makes the attempts that are due, a handful at a time, and says when to be called again; `None` when nothing is on
/// its way.
pub(crate) async fn deliver(
    host: &impl Platform,
    id: CallId,
    standing: &Standing,
) -> Result<Option<Time>, Fault> {
    let outbox: Outbox = documents::read(host, &Owner::Call(id), outbox::DOCUMENT).await?;
    list(host, id, &standing.record, &outbox).await?;
    match outbox.next() {
        Some(next) if next <= host.now() => send(host, id, standing).await,
        next => Ok(next),
    }
}

/// Who gets reports of this kind.
async fn targets(
    host: &impl Platform,
    standing: &Standing,
    kind: Kind,
) -> Result<Vec<Target>, Fault> {
    let record = &standing.record;
    let webhooks: Webhooks = webhooks::read(host, &record.organization).await?;
    let subscribed = webhooks.subscribed(kind);
    let mut targets: Vec<Target> = subscribed
        .map(|webhook| Target::Webhook {
            id: webhook.id.clone(),
        })
        .collect();
    let tells = dialect::of(record).tells(record, answered(standing));
    if record.callback_url.is_some() && kind == Kind::CallEnded && tells {
        targets.push(Target::Callback);
    }
    Ok(targets)
}

/// Whether the request for the call was answered with its end: it was refused, and whoever asked knows.
fn answered(standing: &Standing) -> bool {
    standing.record.schedule.is_none() && aftermath::never_placed(standing)
}

/// What the agent's CRM wants to be told of a call's end, as it is configured now.
async fn push(host: &impl Platform, record: &Record, kind: Kind) -> Result<Option<Push>, Fault> {
    match kind {
        Kind::CallEnded => {
            let agent = store::agent_of(host, record).await?;
            Ok(agent.and_then(|agent| agent.post_call_push))
        }
        Kind::AnalysisReady => Ok(None),
    }
}

/// The body of a report to this target.
fn said(head: &Head, standing: &Standing, target: &Target, push: Option<&Push>) -> Value {
    let (record, call) = (&standing.record, &standing.call);
    match target {
        Target::Webhook { .. } => body(head, record, call),
        Target::Callback => dialect::of(record).show_report(head, record, call),
        Target::Push => push.map_or(Value::Null, |push| push_body(push, record, call, head.at)),
    }
}

/// Enters deliveries in the lists of their webhooks. The number an entry got is noted: another one for the same delivery,
/// left by a run that was cut short, is passed over when the list is read.
async fn list(
    host: &impl Platform,
    id: CallId,
    record: &Record,
    outbox: &Outbox,
) -> Result<(), Fault> {
    let organization = Owner::Organization(record.organization.clone());
    for delivery in &outbox.deliveries {
        let (Some(webhook), None) = (delivery.target.webhook(), delivery.listed) else {
            continue;
        };
        let entry = Entry {
            v: VERSION,
            call: id.to_string(),
            delivery: delivery.id.clone(),
            created_at: delivery.created_at,
        };
        let entry = serde_json::to_string(&entry).map_err(|error| Fault(error.to_string()))?;
        let number = host
            .append(&organization, &series(webhook), &[entry])
            .await?;
        change(host, id, |outbox| {
            if let Some(delivery) = outbox.delivery_mut(&delivery.id) {
                delivery.listed.get_or_insert(number);
            }
        })
        .await?;
    }
    Ok(())
}

/// Claims what is due and makes one attempt of each, so many at a time. As one comes to its end, that is entered and the
/// next is claimed: no receiver waits for a slower one.
async fn send(
    host: &impl Platform,
    id: CallId,
    standing: &Standing,
) -> Result<Option<Time>, Fault> {
    let now = host.now();
    let claimed = change(host, id, |outbox| claim(outbox, now, AT_ONCE)).await?;
    let until = now.plus_s(ROUND_S);
    let pushed = claimed
        .iter()
        .any(|claimed| claimed.delivery.target == Target::Push);
    let wanted = Rc::new(Wanted::now(host, &standing.record, pushed).await?);
    let sent = join::all(claimed.into_iter().map(|first| {
        let wanted = wanted.clone();
        keep_sending(host, id, standing, first, wanted, until)
    }));
    for sent in sent.await {
        sent?;
    }
    let outbox: Outbox = documents::read(host, &Owner::Call(id), outbox::DOCUMENT).await?;
    Ok(outbox.next())
}

/// Makes one attempt after the other, as long as more is due.
async fn keep_sending(
    host: &impl Platform,
    id: CallId,
    standing: &Standing,
    first: Claimed,
    mut wanted: Rc<Wanted>,
    until: Time,
) -> Result<(), Fault> {
    let record = &standing.record;
    let mut next = Some(first);
    while let Some(Claimed { delivery, body }) = next {
        let request = destination::request(host, record, &wanted, &delivery, &body);
        let sent = attempt(host, id, &delivery, request).await;
        next = enter(host, id, record, &delivery, &sent, until).await?;
        if let Some(Claimed { delivery, .. }) = &next {
            let pushed = delivery.target == Target::Push;
            wanted = Rc::new(Wanted::now(host, record, pushed).await?);
        }
    }
    Ok(())
}

/// A delivery that is ours for one attempt, and what it says.
struct Claimed {
    delivery: Delivery,
    body: String,
}

fn claim(outbox: &mut Outbox, now: Time, most: usize) -> Vec<Claimed> {
    let claimed = outbox.claim(now, most);
    let bodies = &outbox.bodies;
    let with_body = claimed.into_iter().map(|delivery| Claimed {
        body: bodies.get(delivery.body).cloned().unwrap_or_default(),
        delivery,
    });
    with_body.collect()
}

/// Enters what came of an attempt, and claims the next delivery that is due, until the round is over.
async fn enter(
    host: &impl Platform,
    id: CallId,
    record: &Record,
    delivery: &Delivery,
    sent: &Sent,
    until: Time,
) -> Result<Option<Claimed>, Fault> {
    let now = host.now();
    if let (Some(webhook), Sent::Finished(finished)) = (delivery.target.webhook(), sent)
        && finished.verdict == Verdict::Gone
    {
        webhooks::disable(host, &record.organization, webhook, now).await?;
    }
    let (state, next) = change(host, id, |outbox| {
        match sent {
            Sent::Finished(finished) => outbox.finish(&delivery.id, finished),
            Sent::Unsubscribed => outbox.cancel(&delivery.id),
        }
        let state = outbox.delivery(&delivery.id).map(|delivery| delivery.state);
        let more = usize::from(now < until);
        (state, claim(outbox, now, more).pop())
    })
    .await?;
    if state == Some(State::Dead) {
        let message = "a report could not be delivered";
        settle::log(host, "warn", message, &id, &delivery.id);
    }
    Ok(next)
}

async fn change<T>(
    host: &impl Platform,
    id: CallId,
    change: impl FnMut(&mut Outbox) -> T,
) -> Result<T, Fault> {
    documents::change(host, &Owner::Call(id), outbox::DOCUMENT, change).await
}

/// What became of a claimed delivery.
enum Sent {
    Finished(Finished),
    /// Nobody wants it any more.
    Unsubscribed,
}

/// Makes one attempt.
async fn attempt(
    host: &impl Platform,
    id: CallId,
    delivery: &Delivery,
    request: Result<Request<Vec<u8>>, Refused>,
) -> Sent {
    let at = host.now();
    let claim = delivery.claimed.unwrap_or(at);
    let finished = |attempt, verdict| {
        Sent::Finished(Finished {
            attempt,
            verdict,
            claim,
        })
    };
    let again = Verdict::Again { no_sooner_s: 0 };
    let request = match request {
        Ok(request) => request,
        Err(Refused::Unsubscribed) => return Sent::Unsubscribed,
        Err(Refused::NotAllowed(why)) => return finished(failed(at, at, why), Verdict::Refused),
        Err(Refused::Unsigned) => {
            let why = "the signing secret does not open";
            settle::log(host, "error", "a report cannot be signed", &id, why);
            return finished(failed(at, at, why.to_owned()), again);
        }
    };
    let answer = host.send(request, ANSWER_MS).await;
    let ended = host.now();
    let (attempt, verdict) = match answer {
        Ok(answer) => {
            let status = answer.status().as_u16();
            let verdict = schedule::verdict(status, answer.headers(), ended);
            (heard(at, ended, &answer), verdict)
        }
        Err(SendError::NotSent(cause) | SendError::Unclear(cause)) => {
            settle::log(
                host,
                "info",
                "a receiver of reports did not answer",
                &id,
                &cause,
            );
            (failed(at, ended, "no answer".to_owned()), again)
        }
    };
    finished(attempt, verdict)
}

fn heard(at: Time, ended: Time, answer: &Response<Vec<u8>>) -> Attempt {
    let text = String::from_utf8_lossy(answer.body());
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let excerpt: String = text.chars().take(EXCERPT).map(visible).collect();
    Attempt {
        at,
        ms: ended.0.saturating_sub(at.0),
        status: Some(answer.status().as_u16()),
        error: None,
        answer: Some(excerpt).filter(|excerpt| !excerpt.is_empty()),
    }
}

fn failed(at: Time, ended: Time, why: String) -> Attempt {
    Attempt {
        at,
        ms: ended.0.saturating_sub(at.0),
        status: None,
        error: Some(why),
        answer: None,
    }
}
