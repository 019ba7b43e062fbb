//! What follows a call's end: what it held is freed, and its next attempt is planned. Each step can be cut short
//! anywhere and is gone through again.

use crate::analysis::Stands;
use crate::ledger::Standing;
use crate::settle::{self, LOOK_AGAIN_S};
use crate::{Fault, Platform, analysis, chat, contacts, reports, retry};
use calls::id::CallId;
use calls::record::Record;
use calls::report::Kind;
use calls::time::Time;
use calls::voice;

/// Goes through all that follows the end of a call, and says when to be called again; `None` when nothing is left.
pub(crate) async fn go_on(
    host: &impl Platform,
    id: CallId,
    standing: Standing,
) -> Result<Option<Time>, Fault> {
    let stop = release(host, id, &standing.record, &standing).await?;
    if standing.record.kind == voice::Kind::Chat {
        // No call, and nothing to tell of.
        return Ok(stop);
    }
    if !never_placed(&standing) {
        contacts::enter_late(host, &standing.record).await?;
    }
    // Before anything is reported, which says whether another attempt follows.
    let mut standing = retry::plan(host, id, standing).await?;
    let analysis = match analysis::go_on(host, id, &mut standing).await? {
        Stands::Next(next) => next,
        Stands::Begun(until) => {
            // Where the end is reported all the same, that attempt has failed.
            if !reports::composed(host, id, Kind::CallEnded).await? {
                return Ok([Some(until), stop].into_iter().flatten().min());
            }
            Some(until)
        }
    };
    if let Some(verdict) = standing.call.ended() {
        reports::compose(host, id, &standing, Kind::CallEnded, verdict.at).await?;
    }
    if let (true, Some(at)) = (standing.call.analysed_late(), standing.call.analysed_at()) {
        reports::compose(host, id, &standing, Kind::AnalysisReady, at).await?;
    }
    let reports = reports::deliver(host, id, &standing).await?;
    Ok([analysis, reports, stop].into_iter().flatten().min())
}

/// Frees the call's seat and stops its container. Says when to come again for that where whoever stops it did not answer:
/// nothing else waits until they do.
pub(crate) async fn release(
    host: &impl Platform,
    id: CallId,
    record: &Record,
    standing: &Standing,
) -> Result<Option<Time>, Fault> {
    match record.kind {
        voice::Kind::Chat => chat::free(host, &record.organization, id).await?,
        voice::Kind::Phone | voice::Kind::Dialler => {
            host.free_seat(&record.organization, id).await?
        }
    }
    // A container may run although the event that says so was never stored.
    if never_placed(standing) {
        return Ok(None);
    }
    let Err(Fault(cause)) = host.stop_audio(id).await else {
        return Ok(None);
    };
    settle::log(host, "warn", "a voice was not stopped", &id, &cause);
    let again = host.now().plus_s(LOOK_AGAIN_S);
    // By then it has come to its own limits.
    let over = standing
        .call
        .ended()
        .map(|verdict| record.seat_until(verdict.at));
    Ok(Some(again).filter(|again| over.is_none_or(|over| *again < over)))
}

/// Whether it is certain that Twilio placed no call.
pub(crate) fn never_placed(standing: &Standing) -> bool {
    const NEVER: [&str; 3] = ["no-seat", "dial-refused", "gate-closed"];
    NEVER.iter().any(|name| standing.call.has(name)) || standing.call.canceled_before_dial()
}
