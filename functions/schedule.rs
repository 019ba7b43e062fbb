//! Calls that wait for their time. When it comes every gate is gone through again and a seat is taken; then the call's
//! document `fire` decides what becomes of it, once for all: whoever swaps it first, the dial or the cancelling, wins.
//! A dial that was decided and left nothing behind may have reached Twilio: it is looked for there, never repeated.

use crate::fire::{self, Fired};
use crate::ledger::{self, Standing};
use crate::{Fault, Owner, Platform, attempts, documents, gates, settle};
use calls::call::DIAL_ANSWER_S;
use calls::config::Organization;
use calls::event::Event;
use calls::id::CallId;
use calls::plan;
use calls::problem::Problem;
use calls::record::Record;
use calls::secret;
use calls::time::Time;
use serde::{Deserialize, Serialize};

/// The call's document.
const NAME: &str = "fire";
/// How soon a call is tried again for which no seat was free or Twilio had no time, in seconds.
const AGAIN_S: u64 = 10;

#[derive(Default, Serialize, Deserialize)]
struct Fire {
    #[serde(default)]
    v: u32,
    decided: Option<Decided>,
}

/// What becomes of a call that waited.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Decided {
    /// It is dialled, by the waker that drew this word.
    Fire {
        at: Time,
        by: String,
    },
    Cancel {
        at: Time,
    },
    Refuse {
        at: Time,
        reason: String,
    },
}

/// Does what is due for a call that waits, and says when to be called again.
pub(crate) async fn wake(
    host: &impl Platform,
    id: CallId,
    standing: Standing,
) -> Result<Option<Time>, Fault> {
    let Some(plan) = standing.record.schedule else {
        return Ok(None);
    };
    let fire: Fire = documents::read(host, &Owner::Call(id), NAME).await?;
    if let Some(decided) = fire.decided {
        return follow(host, id, &standing.record, decided).await;
    }
    let now = host.now();
    if now < plan.earliest_at {
        return Ok(Some(plan.earliest_at));
    }
    if now > plan.latest_at {
        return refuse(host, id, &standing.record, "expired").await;
    }
    if chain_was_stopped(host, &standing.record).await? {
        let decided = decide(host, id, Decided::Cancel { at: now }).await?;
        return follow(host, id, &standing.record, decided).await;
    }
    match gates::again(host, &standing.record, now).await {
        Ok(organization) => dial(host, id, standing, &organization).await,
        Err(Problem::Broken(cause)) => Err(Fault(cause)),
        Err(problem) => match problem.next_allowed_at() {
            Some(next) => put_off(host, id, &standing.record, next, problem.code()).await,
            None => refuse(host, id, &standing.record, problem.code()).await,
        },
    }
}

/// Whether somebody cancelled the attempt before this one, after it had ended.
async fn chain_was_stopped(host: &impl Platform, record: &Record) -> Result<bool, Fault> {
    let previous = record.attempt.as_ref();
    let Some(previous) = previous.and_then(|attempt| CallId::parse(&attempt.previous)) else {
        return Ok(false);
    };
    let previous = ledger::read(host, previous).await?;
    Ok(previous.is_some_and(|previous| previous.call.stopped()))
}

async fn dial(
    host: &impl Platform,
    id: CallId,
    standing: Standing,
    organization: &Organization,
) -> Result<Option<Time>, Fault> {
    let record = standing.record;
    let soon = host.now().plus_s(AGAIN_S);
    let auth = ledger::configured_credential(host, organization, &record).map_err(fault)?;
    if let Err(problem) = fire::admit(host, organization, id, &record).await? {
        let wait = problem.retry_after_s().unwrap_or(AGAIN_S);
        let later = host.now().plus_s(wait);
        return put_off(host, id, &record, later, problem.code()).await;
    }
    let at = host.now();
    let mine = Decided::Fire {
        at,
        by: secret::hex(&host.random()),
    };
    let decided = decide(host, id, mine.clone()).await?;
    if decided != mine {
        // Where another waker dials it, what was taken is the call's own, and so that waker's.
        if !matches!(decided, Decided::Fire { .. }) {
            fire::let_go(host, organization, id, &record).await?;
        }
        return follow(host, id, &record, decided).await;
    }
    match fire::fire(host, id, record, &auth, Some(at)).await {
        Ok(Fired::Placed(standing)) => Ok(standing.call.deadline(&standing.record)),
        Ok(Fired::Refused(record, refused)) if fire::may_pass(&refused) => {
            documents::change(host, &Owner::Call(id), NAME, |fire: &mut Fire| {
                if fire.decided.as_ref() == Some(&mine) {
                    fire.decided = None;
                }
            })
            .await?;
            fire::let_go(host, organization, id, &record).await?;
            put_off(host, id, &record, soon, "provider_busy").await
        }
        Ok(Fired::Refused(record, refused)) => {
            attempts::take_back(host, organization, id, &record).await?;
            settle::refuse(host, id, &record, refused).await?;
            Ok(Some(host.now()))
        }
        Err(problem) => Err(fault(problem)),
    }
}

/// Decides, unless it was decided before; what counts.
async fn decide(host: &impl Platform, id: CallId, mine: Decided) -> Result<Decided, Fault> {
    documents::change(host, &Owner::Call(id), NAME, |fire: &mut Fire| {
        fire.v = 1;
        fire.decided.get_or_insert_with(|| mine.clone()).clone()
    })
    .await
}

/// Does what was decided, also when whoever decided it broke off.
async fn follow(
    host: &impl Platform,
    id: CallId,
    record: &Record,
    decided: Decided,
) -> Result<Option<Time>, Fault> {
    match decided {
        Decided::Fire { at, .. } => {
            let answered = at.plus_s(DIAL_ANSWER_S);
            if host.now() < answered {
                return Ok(Some(answered));
            }
            let cause = "the host broke off while it dialled".to_owned();
            let unknown = Event::DialUnknown {
                at: host.now(),
                cause,
            };
            ledger::add(host, id, &[Event::Fired { at }, unknown]).await?;
        }
        Decided::Cancel { at } => {
            settle::refuse(host, id, record, Event::CancelAsked { at }).await?;
        }
        Decided::Refuse { at, reason } => {
            settle::refuse(host, id, record, Event::GateClosed { at, reason }).await?;
        }
    }
    Ok(Some(host.now()))
}

async fn refuse(
    host: &impl Platform,
    id: CallId,
    record: &Record,
    reason: &str,
) -> Result<Option<Time>, Fault> {
    let refused = Decided::Refuse {
        at: host.now(),
        reason: reason.to_owned(),
    };
    let decided = decide(host, id, refused).await?;
    follow(host, id, record, decided).await
}

/// Waits on, as long as the request allows. Past that the call could only be refused, which the last wake-up does.
async fn put_off(
    host: &impl Platform,
    id: CallId,
    record: &Record,
    until: Time,
    why: &str,
) -> Result<Option<Time>, Fault> {
    let latest = record.schedule.map_or(until, |plan| plan.latest_at);
    let postponed = Event::Postponed {
        at: host.now(),
        until: until.min(latest),
        why: why.to_owned(),
    };
    ledger::add(host, id, &[postponed]).await?;
    // A millisecond past the last moment it may be dialled.
    Ok(Some(until.min(Time(latest.0 + 1))))
}

/// Cancels a call that waits, and with it the attempts that would follow; of one that has ended, those attempts.
/// One that is dialled or talked on is not cancelled but hung up.
pub(crate) async fn cancel(host: &impl Platform, standing: Standing) -> Result<Standing, Problem> {
    let asked = standing.call_id()?;
    let mut standing = standing;
    loop {
        let id = standing.call_id()?;
        if standing.call.waits(&standing.record) || being_cancelled(&standing) {
            let decided = decide(host, id, Decided::Cancel { at: host.now() }).await?;
            let dialled = matches!(decided, Decided::Fire { .. });
            if dialled {
                return Err(Problem::CallUnderWay(id.to_string()));
            }
            follow(host, id, &standing.record, decided).await?;
            break;
        }
        if standing.call.ended().is_none() {
            return Err(Problem::CallUnderWay(id.to_string()));
        }
        if standing.call.canceled_before_dial() {
            break;
        }
        if plan::is_last(&standing.record, &standing.call) == Some(true)
            && !standing.call.has("cancel-asked")
        {
            return Err(Problem::CallOver(id.to_string()));
        }
        let stop = Event::CancelAsked { at: host.now() };
        let stopped = ledger::add(host, id, &[stop]).await?;
        let key = host.settings().signing_key.expose().as_bytes();
        match ledger::read(host, plan::next_id(key, &stopped.record)).await? {
            Some(next) => standing = next,
            None => break,
        }
    }
    ledger::read(host, asked)
        .await?
        .ok_or_else(|| Problem::NoCall(asked.to_string()))
}

/// Whether somebody cancelled the call before its dial and has yet to write its end down.
pub(crate) fn being_cancelled(standing: &Standing) -> bool {
    standing.call.canceled_while_waiting() && standing.call.ended().is_none()
}

/// What stopped a wake-up, for the log.
pub(crate) fn fault(problem: Problem) -> Fault {
    Fault(problem.cause().unwrap_or(problem.code()).to_owned())
}
