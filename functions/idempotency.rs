//! Idempotency keys: a request sent twice places one call. The call's id is made from organization and key,
//! so that creating the call is the lock.

use crate::ledger::{self, Standing};
use crate::{Owner, Platform, documents};
use calls::dialect::{Dialect, PlaceCall};
use calls::event::Event;
use calls::id::{CallId, MAX_RUN};
use calls::problem::Problem;
use calls::secret;
use http::Request;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use validation::{Issue, Rule};

/// The longest key, in characters.
const LONGEST: usize = 255;
/// How long a request may take before its call counts as one whose outcome is unknown, in seconds.
pub(crate) const UNDER_WAY_S: u64 = 40;
/// How many tries of one key a request looks at: one that finds more was overtaken by as many others meanwhile.
const LOOKS: usize = 10;

/// What a caller meant to do once: its key, and a fingerprint of the request.
pub(crate) struct Intent {
    key: String,
    pub(crate) fingerprint: String,
}

/// Which try of a key is the latest that counts, once one was turned away: a document of the organization.
#[derive(Default, Serialize, Deserialize)]
struct Tries {
    #[serde(default)]
    v: u32,
    latest: u32,
}

impl Intent {
    /// A name for what the request makes, the same each time it is repeated.
    pub(crate) fn name(&self, host: &impl Platform, organization: &str, what: &str) -> String {
        let signing_key = host.settings().signing_key.expose().as_bytes();
        let said = format!("idempotent {what}:{organization}:{}", self.key);
        secret::hex(&secret::mac(signing_key, said.as_bytes()))
    }
}

/// Where an intent stands.
pub(crate) enum Found {
    /// Nothing was tried under this id yet.
    Free(CallId),
    /// It was done; this is the call.
    Done(Box<Standing>),
}

/// The intent to place a call. Its fingerprint holds which agent is wanted through which API, and not how the address that
/// says so is spelled.
pub(crate) fn intent(
    request: &Request<Vec<u8>>,
    dialect: &dyn Dialect,
    wanted: &PlaceCall,
    body: &Map<String, Value>,
) -> Result<Option<Intent>, Problem> {
    let agent = wanted.agent.text().to_ascii_lowercase();
    let version = if wanted.draft { "draft" } else { "live" };
    to_do(
        request,
        &format!("{} {version} {agent}", dialect.word()),
        body,
    )
}

/// The intent to do `what`, as the body says it. The key is in the header `Idempotency-Key`, or in the body's field
/// `idempotency_key` for tools that set no headers.
pub(crate) fn to_do(
    request: &Request<Vec<u8>>,
    what: &str,
    body: &Map<String, Value>,
) -> Result<Option<Intent>, Problem> {
    const FIELD: &str = "idempotency_key";
    let refused = |rule| Problem::Invalid(vec![Issue::new(FIELD, rule)]);
    let header = match request.headers().get("idempotency-key") {
        Some(value) => Some(value.to_str().map_err(|_| refused(Rule::NotText))?),
        None => None,
    };
    // Sent twice, as proxies do: both hosts then read it as one, joined.
    let header = header.map(|header| match header.split_once(", ") {
        Some((key, _)) if header.split(", ").all(|again| again == key) => key,
        _ => header,
    });
    // An empty header is a key that got lost on the way: going on without one could call twice.
    if header == Some("") {
        return Err(refused(Rule::Length(1, LONGEST)));
    }
    let key = match (header, body.get(FIELD)) {
        (Some(header), Some(Value::String(field))) if !field.is_empty() && field != header => {
            return Err(refused(Rule::Other(
                "differs from the Idempotency-Key header".to_owned(),
            )));
        }
        (Some(header), _) => header,
        (None, Some(Value::String(key))) => key,
        (None, None | Some(Value::Null)) => return Ok(None),
        (None, Some(_)) => return Err(refused(Rule::NotText)),
    };
    // No-code tools send an empty field for one that was left out.
    if key.is_empty() {
        return Ok(None);
    }
    if key.chars().count() > LONGEST {
        return Err(refused(Rule::Length(1, LONGEST)));
    }
    let said: BTreeMap<&String, Value> = body
        .iter()
        // A request with a key is never a dry run when it comes to be compared, and what is null counts as absent.
        .filter(|(name, value)| *name != FIELD && *name != "dry_run" && !value.is_null())
        .map(|(name, value)| (name, sorted(value)))
        .collect();
    let said = serde_json::to_string(&said).map_err(|error| Problem::Broken(error.to_string()))?;
    let fingerprint = secret::sha256_hex(format!("{what} {said}").as_bytes());
    Ok(Some(Intent {
        key: key.to_owned(),
        fingerprint,
    }))
}

/// The same value with every object's names in order, so that only what is said counts.
pub(crate) fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let names: BTreeMap<&String, &Value> = object.iter().collect();
            Value::Object(
                names
                    .into_iter()
                    .map(|(name, value)| (name.clone(), sorted(value)))
                    .collect(),
            )
        }
        Value::Array(list) => Value::Array(list.iter().map(sorted).collect()),
        plain => plain.clone(),
    }
}

/// Looks the intent up. A call that was refused before Twilio could place it leaves the key free for another try,
/// under the next id. Which that is stands in a document, so that the hundredth try is found as fast as the second.
pub(crate) async fn find(
    host: &impl Platform,
    organization: &str,
    intent: &Intent,
) -> Result<Found, Problem> {
    if let Some(found) = look(host, organization, intent, 0).await? {
        return Ok(found);
    }
    let owner = Owner::Organization(organization.to_owned());
    let name = format!("tries/{}", intent.name(host, organization, "tries"));
    let mut tries: Tries = documents::read(host, &owner, &name).await?;
    for _ in 0..LOOKS {
        let latest = tries.latest.max(1);
        if let Some(found) = look(host, organization, intent, latest).await? {
            return Ok(found);
        }
        tries = documents::change(host, &owner, &name, |tries: &mut Tries| {
            tries.v = 1;
            tries.latest = tries.latest.max(latest + 1);
            Tries { ..*tries }
        })
        .await?;
    }
    Err(Problem::IdempotencyInProgress)
}

/// What became of one try of the intent; `None` if it was turned away, and so does not count.
async fn look(
    host: &impl Platform,
    organization: &str,
    intent: &Intent,
    attempt: u32,
) -> Result<Option<Found>, Problem> {
    let id = id(host, organization, &intent.key, attempt);
    let Some(standing) = ledger::read(host, id).await? else {
        return Ok(Some(Found::Free(id)));
    };
    if turned_away(&standing) {
        return Ok(None);
    }
    if standing.record.fingerprint.as_ref() != Some(&intent.fingerprint) {
        return Err(Problem::IdempotencyConflict);
    }
    done(host, id, standing).map(Some)
}

/// Whether the request was answered that nothing was placed, for a cause that may pass. Whatever closed a gate after the
/// call was stored, its phone never rang; a call for later ends so for good.
pub(crate) fn turned_away(standing: &Standing) -> bool {
    let at_gate = standing.call.has("gate-closed") && standing.record.schedule.is_none();
    standing.call.never_tried() || at_gate
}

/// What the first request came to, if that is known.
pub(crate) fn done(host: &impl Platform, id: CallId, standing: Standing) -> Result<Found, Problem> {
    // Stored is placed: it is dialled when its time comes.
    if standing.record.schedule.is_some() {
        return Ok(Found::Done(Box::new(standing)));
    }
    if let Some(refused) = standing.call.dial_refused() {
        return Err(Problem::Replayed(Box::new(refusal(refused))));
    }
    if standing.call.sid().is_some() {
        return Ok(Found::Done(Box::new(standing)));
    }
    let age_s = host.now().seconds_since(standing.record.created_at);
    let ended = standing.call.ended();
    if standing.call.has("dial-unknown") || ended.is_some() || age_s > UNDER_WAY_S as f64 {
        let ended = ended.map(|end| format!("{} ({})", end.outcome.word(), end.reason));
        let call = id.to_string();
        return Err(Problem::IdempotencyUnknown { call, ended });
    }
    Err(Problem::IdempotencyInProgress)
}

/// A refused dial as the caller is told of it.
pub(crate) fn refusal(refused: &Event) -> Problem {
    match refused {
        Event::DialRefused { status: 429, .. } => Problem::ProviderBusy,
        Event::DialRefused { code, .. } => Problem::ProviderRefused {
            number_at_fault: calls::twilio::dial::number_at_fault(*code),
            code: *code,
        },
        _ => Problem::Broken("no refusal of a dial".to_owned()),
    }
}

fn id(host: &impl Platform, organization: &str, key: &str, attempt: u32) -> CallId {
    let signing_key = host.settings().signing_key.expose().as_bytes();
    let mac = secret::mac(
        signing_key,
        format!("idempotency:{organization}:{attempt}:{key}").as_bytes(),
    );
    let mut number = [0; 8];
    number.copy_from_slice(&mac[..8]);
    CallId::of_run(
        signing_key,
        organization,
        u64::from_be_bytes(number) & MAX_RUN,
    )
}
