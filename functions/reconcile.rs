//! Asking Twilio how a call stands that nobody has heard of in time: by its SID, or, after an unclear dial, by both numbers
//! and the time. A call that is found is taken up; one that is not is never dialled again.

use crate::ledger::{self, Standing};
use crate::settle::{hang_up, log};
use crate::sids::{self, Known};
use crate::{Fault, Platform, SendError};
use calls::event::Event;
use calls::id::CallId;
use calls::problem::Problem;
use calls::record::Record;
use calls::time::Time;
use calls::twilio::dial;
use calls::voice::Kind;
use serde_json::Value;

/// How long Twilio's answer to a question is waited for.
pub(crate) const ASK_MS: u64 = 8_000;
/// How long past its deadline a call may stay open while Twilio cannot be asked or says it is still live.
const GIVE_UP_S: u64 = 300;
/// How long past its deadline a call that Twilio does not know of is looked for.
const SEARCH_S: u64 = 30;

/// Asks Twilio how a call stands whose deadline has passed. Past all patience the call is lost, with the evidence.
pub(crate) async fn reconcile(
    host: &impl Platform,
    id: CallId,
    standing: Standing,
) -> Result<Standing, Fault> {
    let now = host.now();
    if standing.record.kind != Kind::Phone {
        // Nobody but its voice knows of it.
        let lost = lost(now, "its voice was not heard of again");
        return ledger::add(host, id, &[lost]).await;
    }
    let overdue_s = overdue_s(&standing, now).unwrap_or(0);
    let found = match standing.call.sid() {
        Some(sid) => ask(host, id, &standing.record, sid).await,
        None => search(host, id, &standing).await,
    };
    let event = match found {
        Found::Anothers => lost(now, "the call it was taken for is another one"),
        Found::Stands(event) => return take_up(host, id, event).await,
        Found::Nothing if standing.call.sid().is_some() || overdue_s >= SEARCH_S => {
            lost(now, "the provider knows of no such call")
        }
        Found::Unreachable if overdue_s >= GIVE_UP_S => {
            lost(now, "the provider could not be asked")
        }
        Found::Nothing | Found::Unreachable => return Ok(standing),
    };
    reconciled(host, id, event).await
}

/// Keeps how a call stands. One that rings or waits in Twilio's queue goes on, until its time is up with what is known now.
async fn take_up(host: &impl Platform, id: CallId, event: Event) -> Result<Standing, Fault> {
    let standing = reconciled(host, id, event).await?;
    let (false, Some(overdue_s)) = (
        standing.call.provider_ended(),
        overdue_s(&standing, host.now()),
    ) else {
        return Ok(standing);
    };
    // Its conversation is over, or too long: nobody should be left holding a phone.
    if let Some(sid) = standing.call.sid() {
        hang_up(host, &standing.record, sid).await;
    }
    if overdue_s < GIVE_UP_S {
        return Ok(standing);
    }
    let evidence = "the provider says the call is live long past its end";
    reconciled(host, id, lost(host.now(), evidence)).await
}

async fn reconciled(host: &impl Platform, id: CallId, event: Event) -> Result<Standing, Fault> {
    let message = "a call past its deadline was reconciled";
    log(host, "info", message, &id, &event.name());
    ledger::add(host, id, &[event]).await
}

/// How long the call is live past all patience, in seconds; None while it is not.
fn overdue_s(standing: &Standing, now: Time) -> Option<u64> {
    let patience = standing.call.patience(&standing.record)?;
    Some(now.0.checked_sub(patience.0)? / 1000)
}

enum Found {
    Stands(Event),
    Nothing,
    /// It was found once, and then Twilio told that it is another call's.
    Anothers,
    Unreachable,
}

fn lost(at: Time, evidence: &str) -> Event {
    Event::Lost {
        at,
        evidence: evidence.to_owned(),
    }
}

async fn ask(host: &impl Platform, id: CallId, record: &Record, sid: &str) -> Found {
    match sids::call_at(host, &record.telephony.account_sid, sid).await {
        Ok(Some(other)) if other != id => return Found::Anothers,
        Ok(_) => {}
        Err(_) => return Found::Unreachable,
    }
    let Ok(auth) = ledger::credential(host, record).await else {
        return Found::Unreachable;
    };
    let Some(request) = dial::ask(record, &auth, sid) else {
        return Found::Unreachable;
    };
    match host.send(request, ASK_MS).await {
        Ok(answer) if answer.status() == 404 => Found::Nothing,
        Ok(answer) if answer.status().is_success() => {
            let call: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
            dial::standing(&call, host.now()).map_or(Found::Unreachable, Found::Stands)
        }
        Ok(_) | Err(SendError::NotSent(_) | SendError::Unclear(_)) => Found::Unreachable,
    }
}

/// Looks for a call whose dial had no clear answer. Only an unmistakable one is adopted: not another call's, and not
/// one of two that may be it: Twilio's list shows no callback address that would tell.
async fn search(host: &impl Platform, id: CallId, standing: &Standing) -> Found {
    let record = &standing.record;
    let began = standing.call.dial_began(record);
    let Ok(auth) = ledger::credential(host, record).await else {
        return Found::Unreachable;
    };
    let Some(request) = dial::search(record, &auth, began) else {
        return Found::Unreachable;
    };
    let found: Value = match host.send(request, ASK_MS).await {
        Ok(answer) if answer.status().is_success() => {
            // A list that was cut off, or is none, does not say that there is no such call.
            match serde_json::from_slice(answer.body()) {
                Ok(found) => found,
                Err(_) => return Found::Unreachable,
            }
        }
        Ok(_) | Err(_) => return Found::Unreachable,
    };
    let mut own = Vec::new();
    for (created, event) in dial::candidates(&found, began, host.now()) {
        let Event::Provider { sid, .. } = &event else {
            continue;
        };
        match sids::call_at(host, &record.telephony.account_sid, sid).await {
            Ok(Some(other)) if other != id => {}
            Ok(_) => own.push((created, event)),
            Err(_) => return Found::Unreachable,
        }
    }
    if own.len() > 1 {
        log(
            host,
            "warn",
            "several calls may be the one looked for",
            &id,
            &own.len().to_string(),
        );
    }
    let Some(event) = dial::unmistakable(own, host.now()) else {
        return Found::Nothing;
    };
    // Another call may look for the same one at this moment: the first to take it has it.
    let taken = match &event {
        Event::Provider { sid, .. } => sids::name(host, record, sid, id, Known::Found).await,
        _ => Ok(true),
    };
    match taken {
        Ok(true) => Found::Stands(event),
        Ok(false) => Found::Nothing,
        Err(_) => Found::Unreachable,
    }
}

/// Waits up to eight seconds for the SID of a call whose dial had no clear answer: its first callback brings it,
/// or Twilio's list does.
pub(crate) async fn wait_for_sid(host: &impl Platform, id: CallId) -> Result<Standing, Problem> {
    for second in 1..=8 {
        host.pause(1_000).await;
        let standing = ledger::read(host, id)
            .await?
            .ok_or_else(|| Problem::NoCall(id.to_string()))?;
        if standing.call.sid().is_some() {
            return Ok(standing);
        }
        if second % 3 == 0
            && let Found::Stands(event) = search(host, id, &standing).await
        {
            return Ok(ledger::add(host, id, &[event]).await?);
        }
    }
    Err(Problem::DialUnknown(id.to_string()))
}
