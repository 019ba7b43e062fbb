//! Placing a call: gates first, then persist, then fire.

use crate::dedupe::{self, Same};
use crate::fire::{self, Fired};
use crate::idempotency::{self, Found, Intent};
use crate::ledger::{self, Standing};
use crate::reply::{self, Reply};
use crate::{Fault, Opened, Platform, attempts, contacts, gates, list, reconcile, settle};
use calls::call::Call;
use calls::config::Organization;
use calls::dialect::{Dialect, PlaceCall};
use calls::event::Event;
use calls::id::CallId;
use calls::problem::Problem;
use calls::record::Record;
use calls::token::{Door, Token};
use calls::voice::Kind;

/// How often a colliding run number is drawn again: twice the same 12 random bits in one millisecond is rare, thrice absurd.
const DRAWS: usize = 4;

/// Places the call a program wants. On `Ok` the call exists, and either rings, waits for its time or is being reconciled.
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
    let examined = gates::examine(host, dialect, organization, wanted).await?;
    // A key says better than any likeness what is the same.
    let same = dedupe::of(&examined.record).filter(|_| once.is_none());
    if let Some(same) = &same
        && let Some(Found::Done(standing)) = dedupe::find(host, same).await?
    {
        return Ok(Placed::again(*standing));
    }
    let full = examined.full;
    let mut record = examined.passed()?;
    record.fingerprint = intent.map(|intent| intent.fingerprint.clone());
    let auth = ledger::stored_credential(host, &record)?;
    // Written before Twilio hears of it, so that the first callback finds a record.
    let (id, record) = match (once, &same) {
        (None, None) => open(host, record).await?,
        (None, Some(same)) => match open_claimed(host, record, same).await? {
            Some(opened) => opened,
            None => {
                return match dedupe::find(host, same).await? {
                    Some(Found::Done(standing)) => Ok(Placed::again(*standing)),
                    _ => Err(Problem::IdempotencyInProgress),
                };
            }
        },
        (Some((id, intent)), _) => match open_once(host, record, id).await? {
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
    if record.schedule.is_some() {
        return Ok(Placed {
            standing: Standing {
                record,
                call: Call::default(),
            },
            replayed: false,
        });
    }
    let admitted = match full {
        Some(full) => Err(Problem::NoSeat(full)),
        None => fire::admit(host, organization, id, &record).await?,
    };
    if let Err(problem) = admitted {
        let at = host.now();
        let closed = match &problem {
            Problem::NoSeat(full) => Event::NoSeat { at, full: *full },
            problem => Event::GateClosed {
                at,
                reason: problem.code().to_owned(),
            },
        };
        settle::refuse(host, id, &record, closed).await?;
        return Err(problem);
    }
    let standing = match fire::fire(host, id, record, &auth, None).await? {
        Fired::Refused(record, refused) => {
            attempts::take_back(host, organization, id, &record).await?;
            settle::refuse(host, id, &record, refused.clone()).await?;
            return Err(idempotency::refusal(&refused));
        }
        Fired::Placed(standing) if standing.call.sid().is_none() && dialect.names_sid() => {
            reconcile::wait_for_sid(host, id).await?
        }
        Fired::Placed(standing) => standing,
    };
    if let Err(Fault(cause)) = contacts::enter(host, &standing.record).await {
        // The phone rings; what follows the call's end enters it.
        settle::log(host, "error", "a contact was not entered", &id, &cause);
    }
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
pub(crate) async fn open(
    host: &impl Platform,
    record: Record,
) -> Result<(CallId, Record), Problem> {
    for _ in 0..DRAWS {
        let id = fresh_id(host, &record);
        if let Some(opened) = open_once(host, record.clone(), id).await? {
            return Ok(opened);
        }
    }
    Err(no_id())
}

/// Persists the call under a new id that is claimed for this request; `None` if another request was faster.
async fn open_claimed(
    host: &impl Platform,
    record: Record,
    same: &Same,
) -> Result<Option<(CallId, Record)>, Problem> {
    for _ in 0..DRAWS {
        let id = fresh_id(host, &record);
        if !dedupe::claim(host, same, id).await? {
            return Ok(None);
        }
        if let Some(opened) = open_once(host, record.clone(), id).await? {
            return Ok(Some(opened));
        }
    }
    Err(no_id())
}

fn fresh_id(host: &impl Platform, record: &Record) -> CallId {
    let run = CallId::fresh_run(record.created_at.0, host.random());
    let key = host.settings().signing_key.expose().as_bytes();
    CallId::of_run(key, &record.organization, run)
}

fn no_id() -> Problem {
    Problem::Broken("no free run number was found".to_owned())
}

/// Persists the call under this id, unless there is one.
pub(crate) async fn open_once(
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
    // A chat is no call, and is listed nowhere.
    if record.kind != Kind::Chat {
        record.listed = list::enter(host, id, &record).await?;
    }
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
