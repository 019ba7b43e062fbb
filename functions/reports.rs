//! Reports out: composed once when a call has ended, then delivered from the call's outbox until each has arrived, is
//! dead or was cancelled. Every step can be cut short anywhere and is gone through again.

pub(crate) mod deliveries;
mod destination;
pub(crate) mod webhooks;

use crate::ledger::Standing;
use crate::{Fault, Owner, Platform, SendError, documents, join, settle, store};
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

/// How long a receiver may take to answer.
const ANSWER_MS: u64 = 10_000;
/// How many attempts of one call are under way at once: a Worker has six connections.
const AT_ONCE: usize = 6;
/// How much of a receiver's answer is kept, in characters.
const EXCERPT: usize = 200;

/// Composes the reports of one kind, about what happened at `at`, unless that was done before. What is said is frozen
/// with it.
pub(crate) async fn compose(
    host: &impl Platform,
    id: CallId,
    standing: &Standing,
    kind: Kind,
    at: Time,
) -> Result<(), Fault> {
    let owner = Owner::Call(id);
    let outbox: Outbox = documents::read(host, &owner, outbox::DOCUMENT).await?;
    if outbox.has(kind) {
        return Ok(());
    }
    let mut targets = targets(host, &standing.record, kind).await?;
    let push = push(host, &standing.record, kind).await?;
    targets.extend(push.is_some().then_some(Target::Push));
    if targets.is_empty() {
        return Ok(());
    }
    let now = host.now();
    documents::change(host, &owner, outbox::DOCUMENT, |outbox: &mut Outbox| {
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
        Some(next) if next <= host.now() => send(host, id, standing, &outbox.bodies).await,
        next => Ok(next),
    }
}

/// Who gets reports of this kind.
async fn targets(host: &impl Platform, record: &Record, kind: Kind) -> Result<Vec<Target>, Fault> {
    let webhooks: Webhooks = webhooks::read(host, &record.organization).await?;
    let subscribed = webhooks.subscribed(kind);
    let mut targets: Vec<Target> = subscribed
        .map(|webhook| Target::Webhook {
            id: webhook.id.clone(),
        })
        .collect();
    if record.callback_url.is_some() && kind == Kind::CallEnded {
        targets.push(Target::Callback);
    }
    Ok(targets)
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
        documents::change(
            host,
            &Owner::Call(id),
            outbox::DOCUMENT,
            |outbox: &mut Outbox| {
                if let Some(delivery) = outbox.delivery_mut(&delivery.id) {
                    delivery.listed.get_or_insert(number);
                }
            },
        )
        .await?;
    }
    Ok(())
}

/// Claims what is due, makes one attempt of each, and enters what came of it.
async fn send(
    host: &impl Platform,
    id: CallId,
    standing: &Standing,
    bodies: &[String],
) -> Result<Option<Time>, Fault> {
    let owner = Owner::Call(id);
    let now = host.now();
    let claimed = documents::change(host, &owner, outbox::DOCUMENT, |outbox: &mut Outbox| {
        outbox.claim(now, AT_ONCE)
    })
    .await?;
    // As they stand now: somebody may have unsubscribed, or had a secret replaced.
    let webhooks = webhooks::read(host, &standing.record.organization).await?;
    let pushed = claimed
        .iter()
        .any(|delivery| delivery.target == Target::Push);
    let push = match pushed {
        true => push(host, &standing.record, Kind::CallEnded).await?,
        false => None,
    };
    let now_wanted = Wanted {
        webhooks: &webhooks,
        push: push.as_ref(),
    };
    let sent = join::all(claimed.iter().map(|delivery| {
        let body = bodies.get(delivery.body);
        let body = body.map_or("", String::as_str);
        let request = destination::request(host, &standing.record, &now_wanted, delivery, body);
        attempt(host, id, delivery, request)
    }))
    .await;
    for (delivery, sent) in claimed.iter().zip(&sent) {
        if let (Some(webhook), Sent::Finished(finished)) = (delivery.target.webhook(), sent)
            && finished.verdict == Verdict::Gone
        {
            webhooks::disable(host, &standing.record.organization, webhook, host.now()).await?;
        }
    }
    let outbox = documents::change(host, &owner, outbox::DOCUMENT, |outbox: &mut Outbox| {
        for (delivery, sent) in claimed.iter().zip(&sent) {
            match sent {
                Sent::Finished(finished) => outbox.finish(&delivery.id, finished),
                Sent::Unsubscribed => outbox.cancel(&delivery.id),
            }
        }
        outbox.clone()
    })
    .await?;
    for delivery in &claimed {
        let dead = |delivery: &&Delivery| delivery.state == State::Dead;
        if let Some(dead) = outbox.delivery(&delivery.id).filter(dead) {
            settle::log(
                host,
                "warn",
                "a report could not be delivered",
                &id,
                &dead.id,
            );
        }
    }
    Ok(outbox.next())
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
            (answered(at, ended, &answer), verdict)
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

fn answered(at: Time, ended: Time, answer: &Response<Vec<u8>>) -> Attempt {
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
