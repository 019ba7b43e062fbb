//! Placing a call: gates first, then persist, seat, dial, and the voice container last.

use crate::idempotency::{self, Found, Intent};
use crate::ledger::{self, Standing};
use crate::reply::{self, Reply};
use crate::{Fault, Lease, Opened, Platform, SendError, gates, list, settle, store, voice};
use calls::call::Call;
use calls::config::{OnMachine, Organization};
use calls::dialect::{Dialect, PlaceCall};
use calls::event::Event;
use calls::id::CallId;
use calls::problem::Problem;
use calls::record::Record;
use calls::secret::Secret;
use calls::token::{Door, Token};
use calls::twilio::dial::{self, Dialled};

/// How often a colliding run number is drawn again: twice the same 12 random bits in one millisecond is rare, thrice absurd.
const DRAWS: usize = 4;

/// Places the call a program wants. On `Ok` the call exists, and either rings or is being reconciled.
pub(crate) async fn place(
    host: &impl Platform,
    dialect: &dyn Dialect,
    organization: &Organization,
    wanted: PlaceCall,
    intent: Option<&Intent>,
) -> Result<Placed, Problem> {
    let once = match intent {
        None => None,
        Some(intent) => match idempotency::find(host, &organization.id, intent).await? {
            Found::Done(standing) => return Ok(Placed::again(*standing)),
            Found::Free(id) => Some((id, intent)),
        },
    };
    let mut record = gates::pass(host, dialect, organization, wanted).await?;
    record.fingerprint = intent.map(|intent| intent.fingerprint.clone());
    let auth = ledger::credential(host, &record)?;
    // Written before Twilio hears of it, so that the first callback finds a record.
    let (id, record) = match once {
        None => open(host, record).await?,
        Some((id, intent)) => match open_once(host, record, id).await? {
            Some(opened) => opened,
            // Another request with the same key was faster.
            None => {
                return match idempotency::find(host, &organization.id, intent).await? {
                    Found::Done(standing) => Ok(Placed::again(*standing)),
                    Found::Free(_) => Err(Problem::IdempotencyInProgress),
                };
            }
        },
    };
    take_seat(host, organization, id, &record).await?;
    let standing = dial(host, dialect, id, record, &auth).await?;
    Ok(Placed {
        standing,
        replayed: false,
    })
}

/// A call that was placed, now or by an earlier request with the same idempotency key.
pub(crate) struct Placed {
    standing: Standing,
    replayed: bool,
}

impl Placed {
    fn again(standing: Standing) -> Placed {
        Placed {
            standing,
            replayed: true,
        }
    }
}

/// The dialect's answer to a placed call, with what it has no field for in headers.
pub(crate) fn show(dialect: &dyn Dialect, placed: &Placed) -> Reply {
    let (placed, replayed) = (&placed.standing, placed.replayed);
    let (status, body) = dialect.show_placed(&placed.record, &placed.call);
    let mut reply = reply::json_reply(status, &body);
    if replayed {
        reply::set(&mut reply, reply::REPLAYED, "true");
    }
    reply::set(&mut reply, "x-call-id", &placed.record.id);
    if !placed.record.unresolved.is_empty() {
        reply::set(
            &mut reply,
            "x-unresolved-variables",
            &shortened(&placed.record.unresolved),
        );
    }
    reply
}

/// The longest list of names a header carries: proxies and clients refuse long ones. The call's record has them all.
const LONGEST_HEADER: usize = 2_000;

fn shortened(names: &[String]) -> String {
    let mut list = names.join(",");
    if list.len() > LONGEST_HEADER {
        // Names are ASCII, so any byte is a boundary.
        let end = list[..LONGEST_HEADER].rfind(',').unwrap_or(0);
        list.truncate(end);
        list.push_str(",...");
    }
    list
}

/// Persists the call under a new id.
async fn open(host: &impl Platform, record: Record) -> Result<(CallId, Record), Problem> {
    let key = host.settings().signing_key.expose().as_bytes();
    for _ in 0..DRAWS {
        let run = CallId::fresh_run(record.created_at.0, host.random());
        let id = CallId::of_run(key, &record.organization, run);
        if let Some(opened) = open_once(host, record.clone(), id).await? {
            return Ok(opened);
        }
    }
    Err(Problem::Broken("no free run number was found".to_owned()))
}

/// Persists the call under this id, unless there is one.
async fn open_once(
    host: &impl Platform,
    mut record: Record,
    id: CallId,
) -> Result<Option<(CallId, Record)>, Problem> {
    let kind = if record.mode == "draft" {
        "TEST"
    } else {
        "API"
    };
    let [high, low, ..] = host.random();
    record.id = id.to_string();
    record.run_name = format!("WR-{kind}-{:04}", u16::from_be_bytes([high, low]) % 10_000);
    record.listed = list::enter(host, id, &record).await?;
    let text =
        serde_json::to_string(&record).map_err(|error| Problem::Broken(error.to_string()))?;
    let wake_at = Call::default()
        .deadline(&record)
        .unwrap_or(record.created_at);
    match host.open_call(id, &text, wake_at).await? {
        Opened::Created => Ok(Some((id, record))),
        Opened::Exists => Ok(None),
    }
}

async fn take_seat(
    host: &impl Platform,
    organization: &Organization,
    id: CallId,
    record: &Record,
) -> Result<(), Problem> {
    let lease = Lease {
        call: id,
        until: record.seat_until(),
    };
    if host
        .take_seat(&organization.id, lease, organization.seats)
        .await?
    {
        return Ok(());
    }
    settle::refuse(host, id, record, Event::NoSeat { at: host.now() }).await?;
    Err(Problem::NoSeat { retry_after_s: 10 })
}

/// One request to Twilio, never repeated, and what follows from its answer.
async fn dial(
    host: &impl Platform,
    dialect: &dyn Dialect,
    id: CallId,
    record: Record,
    auth: &Secret,
) -> Result<Standing, Problem> {
    let settings = host.settings();
    let token = provider_token(host, id, &record);
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
    match dialled {
        Dialled::Accepted { sid } => {
            if let Err(Fault(cause)) = store::name_call(host, &record.organization, &sid, id).await
            {
                // The call rings: only looking it up by its SID suffers.
                settle::log(host, "warn", "a call's SID was not noted", &id, &cause);
            }
            let audio = voice::start(host, id, &record).await;
            Ok(keep(host, id, record, [Event::Dialled { at, sid }, audio]).await)
        }
        Dialled::Refused { status, code } => {
            let refused = Event::DialRefused { at, status, code };
            settle::refuse(host, id, &record, refused.clone()).await?;
            settle::log(
                host,
                "warn",
                "the provider refused the call",
                &id,
                &format!("status {status}, error {code:?}"),
            );
            Err(idempotency::refusal(&refused))
        }
        Dialled::Busy => {
            let refused = Event::DialRefused {
                at,
                status: 429,
                code: Some(20_429),
            };
            settle::refuse(host, id, &record, refused).await?;
            Err(Problem::ProviderBusy)
        }
        Dialled::Unclear(cause) => {
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
            match dialect.names_sid() {
                true => settle::wait_for_sid(host, id).await,
                false => Ok(standing),
            }
        }
    }
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

/// The token in everything Twilio is told to request for this call.
pub(crate) fn provider_token(host: &impl Platform, id: CallId, record: &Record) -> String {
    token(host, id, record, Door::Provider)
}

pub(crate) fn token(host: &impl Platform, id: CallId, record: &Record, door: Door) -> String {
    let token = Token {
        call: id,
        organization: record.organization.clone(),
        expires: record.tokens_expire(),
    };
    token.show(host.settings().signing_key.expose().as_bytes(), door)
}

/// Whether a machine that answers is to be hung up on.
pub(crate) fn hangs_up_on_machines(record: &Record) -> bool {
    record.on_machine == OnMachine::HangUp
}
