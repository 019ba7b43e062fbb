//! Firing a call that is stored: a seat, one request to Twilio, the voice container, and what came of it kept.
//! A request that places a call fires it at once, a wake-up when its time has come.

use crate::ledger::{self, Standing};
use crate::{Fault, Lease, Platform, SendError, place, settle, store, voice};
use calls::call::Call;
use calls::config::Organization;
use calls::event::Event;
use calls::id::CallId;
use calls::problem::Problem;
use calls::record::Record;
use calls::secret::Secret;
use calls::time::Time;
use calls::twilio::dial::{self, Dialled};

/// What firing a call came to.
pub(crate) enum Fired {
    /// It rings, or nobody knows yet: both are stored.
    Placed(Standing),
    /// Certainly not placed, for the cause this event tells, which is not stored.
    Refused(Record, Event),
}

/// Whether the call holds a seat now.
pub(crate) async fn take_seat(
    host: &impl Platform,
    organization: &Organization,
    id: CallId,
    record: &Record,
) -> Result<bool, Fault> {
    let lease = Lease {
        call: id,
        until: record.seat_until(),
    };
    host.take_seat(&organization.id, lease, organization.seats)
        .await
}

/// Sends one request to Twilio, and never another for this call, whatever comes of it.
pub(crate) async fn fire(
    host: &impl Platform,
    id: CallId,
    record: Record,
    auth: &Secret,
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
        Dialled::Accepted { sid } => Fired::Placed(rings(host, id, record, at, sid).await),
        Dialled::Unclear(cause) => Fired::Placed(may_ring(host, id, record, at, cause).await),
        Dialled::Refused { status, code } => {
            let cause = format!("status {status}, error {code:?}");
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

/// Twilio accepted the call: its container starts while the phone rings.
async fn rings(
    host: &impl Platform,
    id: CallId,
    record: Record,
    at: Time,
    sid: String,
) -> Standing {
    if let Err(Fault(cause)) = store::name_call(host, &record.organization, &sid, id).await {
        // The call rings: only looking it up by its SID suffers.
        settle::log(host, "warn", "a call's SID was not noted", &id, &cause);
    }
    let audio = voice::start(host, id, &record).await;
    keep(host, id, record, [Event::Dialled { at, sid }, audio]).await
}

/// Nobody knows whether the call rings: it is looked for soon.
async fn may_ring(
    host: &impl Platform,
    id: CallId,
    record: Record,
    at: Time,
    cause: String,
) -> Standing {
    settle::log(host, "warn", "the dial's outcome is unknown", &id, &cause);
    let audio = voice::start(host, id, &record).await;
    let standing = keep(host, id, record, [Event::DialUnknown { at, cause }, audio]).await;
    if let Err(Fault(cause)) = settle::look_again(host, id, &standing).await {
        settle::log(
            host,
            "error",
            "an early look was not asked for",
            &id,
            &cause,
        );
    }
    standing
}

/// Stores what the dial came to. The phone may ring by now, so a store that fails is no reason to tell the caller that
/// the call failed, who would place it again: callbacks and the deadline armed with the record bring the facts back.
async fn keep(host: &impl Platform, id: CallId, record: Record, events: [Event; 2]) -> Standing {
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
