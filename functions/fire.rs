//! Firing a call that is stored: a seat, one request to Twilio, the voice container, and what came of it kept.
//! A request that places a call fires it at once, a wake-up when its time has come.

use crate::ledger::{self, Standing};
use crate::{Fault, Platform, SendError, attempts, place, settle, sids, voice};
use calls::call::Call;
use calls::config::Organization;
use calls::event::Event;
use calls::id::CallId;
use calls::problem::Problem;
use calls::record::Record;
use calls::seats::{Full, Lease};
use calls::secret::Secret;
use calls::time::Time;
use calls::twilio::dial::{self, Dialled};
use calls::voice::Kind;

/// What firing a call came to.
pub(crate) enum Fired {
    /// It rings, or nobody knows yet: both are stored.
    Placed(Standing),
    /// Certainly not placed, for the cause this event tells, which is not stored.
    Refused(Record, Event),
}

/// Whether the call may be dialled now: it holds a seat then, and its attempt is counted. Both are given back by
/// [`let_go`] should it not be dialled after all; otherwise why not.
pub(crate) async fn admit(
    host: &impl Platform,
    organization: &Organization,
    id: CallId,
    record: &Record,
) -> Result<Result<(), Problem>, Fault> {
    if let Err(full) = take_seat(host, organization, id, record).await? {
        return Ok(Err(Problem::NoSeat(full)));
    }
    if let Err(next) = attempts::count(host, organization, id, record).await? {
        host.free_seat(&organization.id, id).await?;
        let now = host.now();
        return Ok(Err(Problem::AttemptCap { next, now }));
    }
    Ok(Ok(()))
}

/// Gives back what [`admit`] took.
pub(crate) async fn let_go(
    host: &impl Platform,
    organization: &Organization,
    id: CallId,
    record: &Record,
) -> Result<(), Fault> {
    attempts::take_back(host, organization, id, record).await?;
    host.free_seat(&organization.id, id).await
}

/// Whether the call holds a seat now; if not, the limit it met.
pub(crate) async fn take_seat(
    host: &impl Platform,
    organization: &Organization,
    id: CallId,
    record: &Record,
) -> Result<Result<(), Full>, Fault> {
    let lease = Lease {
        call: id.to_string(),
        agent: record.agent.id.clone(),
        inbound: record.kind == Kind::Dialler,
        until: record.seat_until(host.now()),
    };
    let limits = organization.limits(record.agent_seats);
    host.take_seat(&organization.id, lease, &limits).await
}

/// Whether a refused dial may be granted later: Twilio took no more requests, or could not be reached.
pub(crate) fn may_pass(refused: &Event) -> bool {
    matches!(
        refused,
        Event::DialRefused {
            status: 429 | 503,
            ..
        }
    )
}

/// Sends one request to Twilio, and never another for this call, whatever comes of it. `waited`: the call's time has
/// come at that moment, and nobody else fires it.
pub(crate) async fn fire(
    host: &impl Platform,
    id: CallId,
    record: Record,
    auth: &Secret,
    waited: Option<Time>,
) -> Result<Fired, Problem> {
    let settings = host.settings();
    let token = place::provider_token(host, id, &record);
    let request =
        dial::place(&record, auth, &settings.public_base_url, &token).ok_or_else(|| {
            Problem::Broken("the telephony configuration's API base URL is no URL".to_owned())
        })?;
    let answer = host.send(request, settings.dial_timeout_ms).await;
    let at = host.now();
    let dialled = match answer {
        Ok(answer) => dial::placed(&answer),
        Err(SendError::NotSent(cause)) => {
            settle::log(host, "warn", "the dial was not sent", &id, &cause);
            Dialled::Refused {
                status: 503,
                code: None,
            }
        }
        Err(SendError::Unclear(cause)) => Dialled::Unclear(cause),
    };
    Ok(match dialled {
        Dialled::Accepted { sid } => {
            sids::told(host, &record, &sid, id).await;
            Fired::Placed(may_ring(host, id, record, waited, Event::Dialled { at, sid }).await)
        }
        Dialled::Unclear(cause) => {
            settle::log(host, "warn", "the dial's outcome is unknown", &id, &cause);
            let unknown = Event::DialUnknown { at, cause };
            Fired::Placed(may_ring(host, id, record, waited, unknown).await)
        }
        Dialled::Refused { status, code } => {
            let cause = format!("it answered {}", dial::told(status, code));
            settle::log(host, "warn", "the provider refused the call", &id, &cause);
            Fired::Refused(record, Event::DialRefused { at, status, code })
        }
        Dialled::Busy => {
            let refused = Event::DialRefused {
                at,
                status: 429,
                code: Some(20_429),
            };
            Fired::Refused(record, refused)
        }
    })
}

/// The phone rings, or nobody knows whether it does: the container starts meanwhile, and an unknown dial is looked for
/// soon.
async fn may_ring(
    host: &impl Platform,
    id: CallId,
    record: Record,
    waited: Option<Time>,
    dialled: Event,
) -> Standing {
    let audio = voice::start(host, id, &record).await;
    let fired = waited.map(|at| Event::Fired { at });
    let events = fired.into_iter().chain([dialled, audio]).collect();
    let standing = keep(host, id, record, events).await;
    if let Err(Fault(cause)) = settle::look_again(host, id, &standing).await {
        settle::log(
            host,
            "error",
            "an early look was not asked for",
            &id,
            &cause,
        );
    }
    if let (true, Some(sid)) = (standing.call.has("hangup-asked"), standing.call.sid()) {
        // Somebody wanted it ended while it was dialled. What does not work now is tried again when Twilio calls back.
        settle::hang_up(host, &standing.record, sid).await;
    }
    standing
}

/// Stores what the dial came to. The phone may ring by now, so a store that fails is no reason to tell the caller that
/// the call failed, who would place it again: callbacks and the deadline armed with the record bring the facts back.
async fn keep(host: &impl Platform, id: CallId, record: Record, events: Vec<Event>) -> Standing {
    match ledger::add(host, id, &events).await {
        Ok(standing) => standing,
        Err(Fault(cause)) => {
            settle::log(
                host,
                "error",
                "what the dial came to was not stored",
                &id,
                &cause,
            );
            Standing {
                record,
                call: Call::fold(events),
            }
        }
    }
}
