//! The clock of hosts without alarms: the launcher asks which calls are due and has each woken by a request of its own.
//! So a call that waits for a slow receiver, a model or Twilio holds up no other.

use crate::reply::{self, Reply};
use crate::settle::{LOOK_AGAIN_S, log};
use crate::{Fault, Platform, join, ledger, settle, voice};
use calls::id::CallId;
use calls::problem::Problem;
use calls::wake::{Due, Ticked, Wake};
use http::Request;
use serde_json::json;

/// How many due calls one tick gives out.
const CALLS_PER_TICK: usize = 32;
/// When a call comes again whose waking came to nothing, in seconds: the launcher was killed, or the gateway was.
const AGAIN_S: u64 = 30;

/// `POST /internal/tick`: gives out the calls that are due, and waits for nobody but the store. Signed by the launcher.
pub(crate) async fn tick(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
) -> Result<Reply, Problem> {
    voice::from_launcher(host, request)?;
    let again = host.now().plus_s(AGAIN_S);
    let due = host.due(CALLS_PER_TICK, again).await?;
    let more = due.len() >= CALLS_PER_TICK;
    let lanes = join::all(due.iter().map(|(call, _)| lane(host, *call))).await;
    let due = due
        .into_iter()
        .zip(lanes)
        .map(|((call, ticket), lane)| Due {
            call: call.to_string(),
            lane,
            ticket,
        });
    let due = due.collect();
    Ok(reply::json_reply(200, &json!(Ticked { due, more })))
}

/// With whom the call is woken in turn: with its organization's own, and those that are live or to be dialled apart from
/// those that have ended, which wait for receivers of reports.
async fn lane(host: &impl Platform, call: CallId) -> String {
    match ledger::read_some(host, call, &["ended"]).await {
        Ok(Some(standing)) => {
            let stage = match standing.call.ended() {
                None => "calls",
                Some(_) => "reports",
            };
            format!("{}/{stage}", standing.record.organization)
        }
        // Waking it will tell.
        Ok(None) | Err(_) => String::new(),
    }
}

/// `POST /internal/wake/{call}`: does what is due for one call that a tick gave out, however long that takes. Signed by
/// the launcher.
pub(crate) async fn wake(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    call: &str,
) -> Result<Reply, Problem> {
    voice::from_launcher(host, request)?;
    let id = CallId::parse(call).ok_or_else(|| Problem::NoCall(call.to_owned()))?;
    let Wake { ticket } = serde_json::from_slice(request.body())
        .map_err(|error| Problem::Malformed(format!("The wake-up does not read: {error}")))?;
    let again = match settle::wake(host, id).await {
        Ok(again) => again,
        Err(Fault(cause)) => {
            let message = "a call could not be woken and will be again";
            log(host, "error", message, &id, &cause);
            Some(host.now().plus_s(LOOK_AGAIN_S))
        }
    };
    if let Some(at) = again {
        host.wake_at(id, at).await?;
    }
    // Last: ending before this wakes the call once more, which does nothing.
    host.woken(id, &ticket).await?;
    Ok(reply::empty(204))
}
