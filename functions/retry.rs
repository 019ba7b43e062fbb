//! The attempt after one that reached nobody: a call of its own, whose id is made from the chain's first, so that
//! planning it twice plans one.

use crate::ledger::{self, Standing};
use crate::{Fault, Platform, gates, place, schedule};
use calls::event::Event;
use calls::id::CallId;
use calls::plan::{self, Attempt, DAY_S, Schedule};
use calls::problem::Problem;
use calls::record::Record;
use calls::time::Time;

/// Plans the next attempt of a call that has ended, if there is to be one.
pub(crate) async fn plan(
    host: &impl Platform,
    id: CallId,
    standing: Standing,
) -> Result<Standing, Fault> {
    let record = &standing.record;
    let Some(due) = plan::again(record, &standing.call) else {
        return Ok(standing);
    };
    let due = match gates::again(host, record, due).await {
        Ok(_) => due,
        Err(Problem::Broken(cause)) => return Err(Fault(cause)),
        Err(problem) => match problem.next_allowed_at() {
            Some(next) => next,
            None => return end_chain(host, id, problem.code()).await,
        },
    };
    let until = plan::chain_until(record);
    if until.is_some_and(|until| due > until) {
        return end_chain(host, id, "expired").await;
    }
    let key = host.settings().signing_key.expose().as_bytes();
    let next = plan::next_id(key, record);
    let due = open(host, next, attempt_after(record, due, until, host.now())).await?;
    let planned = Event::NextAttempt {
        at: host.now(),
        call: next.to_string(),
        due,
    };
    let standing = ledger::add(host, id, &[planned]).await?;
    // Cancelled while this was planned: whoever cancelled may have looked for the attempt before it was there.
    if standing.call.stopped()
        && let Some(next) = ledger::read(host, next).await?
    {
        match schedule::cancel(host, next).await {
            Ok(_) | Err(Problem::CallUnderWay(_) | Problem::CallOver(_)) => {}
            Err(problem) => return Err(schedule::fault(problem)),
        }
    }
    Ok(standing)
}

async fn end_chain(host: &impl Platform, id: CallId, reason: &str) -> Result<Standing, Fault> {
    let ended = Event::ChainEnded {
        at: host.now(),
        reason: reason.to_owned(),
    };
    ledger::add(host, id, &[ended]).await
}

fn attempt_after(record: &Record, due: Time, until: Option<Time>, now: Time) -> Record {
    Record {
        created_at: now,
        schedule: Some(Schedule {
            earliest_at: due,
            latest_at: until.unwrap_or(due.plus_s(DAY_S)),
        }),
        attempt: Some(Attempt {
            number: plan::attempt(record) + 1,
            first: plan::first(record).to_owned(),
            previous: record.id.clone(),
            until,
        }),
        // The request is the first call's: its idempotency key leads there.
        fingerprint: None,
        ..record.clone()
    }
}

/// Stores the attempt, unless it was stored before; when it is due.
async fn open(host: &impl Platform, id: CallId, record: Record) -> Result<Time, Fault> {
    let due = |record: &Record| record.schedule.map(|plan| plan.earliest_at);
    let stored = match place::open_once(host, record, id).await {
        Ok(Some((_, record))) => Some(record),
        Ok(None) => ledger::read(host, id).await?.map(|stored| stored.record),
        Err(problem) => return Err(schedule::fault(problem)),
    };
    let due = stored.as_ref().and_then(due);
    due.ok_or_else(|| Fault(format!("attempt {id} was not stored")))
}
