//! Bringing calls to their end: the verdict, its consequences, and the deadlines that make sure it comes.

use crate::ledger::{self, Standing};
use crate::sids::Known;
use crate::{Fault, Platform, aftermath, mailbox, reconcile, retry, schedule, sids};
use calls::call::Verdict;
use calls::event::{Event, Outcome};
use calls::id::CallId;
use calls::problem::Problem;
use calls::record::Record;
use calls::time::Time;
use calls::twilio::dial;
use calls::voice::{EndedBy, Kind, VoiceEvent};
use serde_json::{Value, json};

/// How long after a missed deadline the next look is taken.
pub(crate) const LOOK_AGAIN_S: u64 = 15;
/// How often Twilio is asked about a call that waits in its queue, in seconds. It tells by itself when the call leaves it.
const QUEUE_LOOK_S: u64 = 60;

/// Ends the call if its facts suffice, else makes sure it is looked at again in time.
pub(crate) async fn after(
    host: &impl Platform,
    id: CallId,
    standing: &Standing,
) -> Result<(), Fault> {
    if let Some(verdict) = standing.call.ended() {
        // It was given up on, and rings after all: nobody is there to talk to whoever answers.
        if let (Outcome::Lost, false, Some(sid)) = (
            verdict.outcome,
            standing.call.provider_ended(),
            standing.call.sid(),
        ) {
            hang_up(host, &standing.record, sid).await;
        }
        return Ok(());
    }
    if let Some(verdict) = standing.call.verdict(host.now()) {
        return end(host, id, &standing.record, verdict).await;
    }
    hang_up_if_asked(host, standing).await;
    look_again(host, id, standing).await
}

/// Somebody wanted it ended, perhaps before anybody knew its SID, and Twilio still tells of it.
async fn hang_up_if_asked(host: &impl Platform, standing: &Standing) {
    if let (true, false, Some(sid)) = (
        standing.call.has("hangup-asked"),
        standing.call.provider_ended(),
        standing.call.sid(),
    ) {
        hang_up(host, &standing.record, sid).await;
    }
}

/// Asks for a wake-up where the call's deadline has come nearer than the one armed when it was opened:
/// one side has had its last word, or the dial's outcome is unknown. Others are found by the wake-ups themselves.
pub(crate) async fn look_again(
    host: &impl Platform,
    id: CallId,
    standing: &Standing,
) -> Result<(), Fault> {
    match standing.call.deadline(&standing.record) {
        Some(deadline) if deadline <= host.now().plus_s(LOOK_AGAIN_S) => {
            host.wake_at(id, deadline).await
        }
        _ => Ok(()),
    }
}

/// Ends a call that never rang.
pub(crate) async fn refuse(
    host: &impl Platform,
    id: CallId,
    record: &Record,
    why: Event,
) -> Result<(), Fault> {
    let standing = ledger::add(host, id, &[why]).await?;
    match standing.call.verdict(host.now()) {
        Some(verdict) => end(host, id, record, verdict).await,
        None => Ok(()),
    }
}

/// Writes the verdict, then frees what the call holds. Doing it again changes nothing. The wake-up asked for first
/// brings about what else follows an end, also where this is cut short.
async fn end(
    host: &impl Platform,
    id: CallId,
    record: &Record,
    verdict: Verdict,
) -> Result<(), Fault> {
    let ended = Event::Ended {
        at: verdict.at,
        outcome: verdict.outcome,
        reason: verdict.reason,
        by: verdict.by,
    };
    host.wake_at(id, host.now()).await?;
    let standing = ledger::add(host, id, &[ended]).await?;
    if let (Some(sid), false) = (standing.call.sid(), standing.call.has("dialled")) {
        sids::name(host, record, sid, id, Known::Found).await?;
    }
    aftermath::release(host, id, record, &standing).await?;
    // Now, so that whoever reads the end reads whether an attempt follows. What fails here the wake-up does again. Boxed,
    // for a plan that comes too late cancels an attempt, which is another call's end.
    if let Err(Fault(cause)) = Box::pin(retry::plan(host, id, standing)).await {
        log(
            host,
            "warn",
            "the next attempt is not planned yet",
            &id,
            &cause,
        );
    }
    Ok(())
}

/// Does what is due for one call and says when to be called again; `None` when the call is over.
///
/// Workers calls it from the call's alarm, Spin as the launcher asks for it ([`crate::tick`]), both at the time asked for
/// by [`Platform::open_call`] and [`Platform::wake_at`]. Two who call it at once do nothing twice.
pub async fn wake(host: &impl Platform, id: CallId) -> Result<Option<Time>, Fault> {
    let Some(standing) = ledger::read(host, id).await? else {
        return Ok(None);
    };
    if standing.call.waits(&standing.record) {
        return schedule::wake(host, id, standing).await;
    }
    let Some(deadline) = standing.call.deadline(&standing.record) else {
        return aftermath::go_on(host, id, standing).await;
    };
    mailbox::begin_again(host, id, &standing).await?;
    let now = host.now();
    if standing.call.verdict(now).is_none() && now < deadline {
        return Ok(Some(deadline));
    }
    let standing = match standing.call.verdict(now) {
        Some(_) => standing,
        None => reconcile::reconcile(host, id, standing).await?,
    };
    match standing.call.verdict(host.now()) {
        Some(verdict) => {
            end(host, id, &standing.record, verdict).await?;
            Ok(Some(host.now()))
        }
        None => {
            hang_up_if_asked(host, &standing).await;
            Ok(Some(next_look(host, &standing)))
        }
    }
}

/// When to look again at a call that was looked at just now.
fn next_look(host: &impl Platform, standing: &Standing) -> Time {
    let deadline = standing.call.deadline(&standing.record);
    let queued = standing.call.patience(&standing.record) > deadline;
    let later = host.now().plus_s(match queued {
        true => QUEUE_LOOK_S,
        false => LOOK_AGAIN_S,
    });
    deadline.map_or(later, |deadline| deadline.max(later))
}

/// Ends a call somebody wants ended. One whose SID is not known yet is ended when it is.
pub(crate) async fn hang_up_for(
    host: &impl Platform,
    standing: Standing,
) -> Result<Standing, Problem> {
    let Some(id) = standing
        .record
        .call_id()
        .filter(|_| standing.call.ended().is_none())
    else {
        return Ok(standing);
    };
    let mut standing = standing;
    if standing.call.waits(&standing.record) || schedule::being_cancelled(&standing) {
        match schedule::cancel(host, standing).await {
            // Its time came at this very moment.
            Err(Problem::CallUnderWay(_)) => {}
            decided => return decided,
        }
        standing = ledger::read(host, id)
            .await?
            .ok_or_else(|| Problem::NoCall(id.to_string()))?;
        if standing.call.ended().is_some() {
            return Ok(standing);
        }
    }
    let asked = Event::HangupAsked {
        at: host.now(),
        by: EndedBy::Gateway,
    };
    let mut standing = ledger::add(host, id, &[asked]).await?;
    if standing.call.machine() {
        // It may be hung up on for being one, and of two who ask for that the first counts. This stops the attempts that
        // would follow.
        let stop = Event::CancelAsked { at: host.now() };
        standing = ledger::add(host, id, &[stop]).await?;
    }
    if standing.record.kind != Kind::Phone {
        // Its end stops its voice, which hangs up.
        after(host, id, &standing).await?;
        return Ok(standing);
    }
    match standing.call.sid() {
        Some(sid) if !hang_up(host, &standing.record, sid).await => Err(Problem::Broken(
            "the provider did not take the hang-up".to_owned(),
        )),
        _ => Ok(standing),
    }
}

/// Asks Twilio to end the call. What comes of it arrives as callbacks.
pub(crate) async fn hang_up(host: &impl Platform, record: &Record, sid: &str) -> bool {
    let Ok(auth) = ledger::credential(host, record).await else {
        return false;
    };
    let Some(request) = dial::hang_up(record, &auth, sid) else {
        return false;
    };
    // 21220: the call has ended already, which is what was wanted.
    match host.send(request, reconcile::ASK_MS).await {
        Ok(answer) => {
            let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
            answer.status().is_success() || body["code"] == 21_220
        }
        Err(_) => false,
    }
}

/// Tells a call that its voice container stopped without an orderly end.
pub async fn audio_lost(host: &impl Platform, id: CallId, cause: &str) -> Result<(), Fault> {
    let lost = VoiceEvent::Lost {
        at: host.now(),
        cause: cause.to_owned(),
    };
    let Some(standing) = ledger::read(host, id).await? else {
        return Ok(());
    };
    if standing.call.has("voice-ended") || standing.call.ended().is_some() {
        return Ok(());
    }
    let standing = ledger::add(host, id, &[Event::Voice(lost)]).await?;
    after(host, id, &standing).await
}

/// One line in the log about a call.
pub(crate) fn log(host: &impl Platform, level: &str, message: &str, id: &CallId, cause: &str) {
    let line =
        json!({ "level": level, "message": message, "call_id": id.to_string(), "cause": cause });
    host.log(&line.to_string());
}
