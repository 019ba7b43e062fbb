//! One call's facts as handlers see them: the record and the call folded from its events.

use crate::{Facts, Fault, Platform, contacts, store};
use calls::call::Call;
use calls::config::Organization;
use calls::event::Event;
use calls::id::CallId;
use calls::problem::Problem;
use calls::record::{Record, credential_owner};
use calls::seal;
use calls::secret::Secret;
use validation::Phone;

/// A call as it stands.
pub(crate) struct Standing {
    pub(crate) record: Record,
    pub(crate) call: Call,
}

impl Standing {
    pub(crate) fn call_id(&self) -> Result<CallId, Problem> {
        let id = self.record.call_id();
        id.ok_or_else(|| Problem::Broken("a record without an id".to_owned()))
    }
}

/// None if there is no such call.
pub(crate) async fn read(host: &impl Platform, id: CallId) -> Result<Option<Standing>, Fault> {
    let facts = host.read_call(id).await?;
    facts.map(|facts| standing(host, facts)).transpose()
}

/// How it stands by the events of these names, and perhaps by others.
pub(crate) async fn read_some(
    host: &impl Platform,
    id: CallId,
    names: &[&str],
) -> Result<Option<Standing>, Fault> {
    let facts = host.read_some(id, names).await?;
    facts.map(|facts| standing(host, facts)).transpose()
}

/// Adds events and returns how the call stands with them.
pub(crate) async fn add(
    host: &impl Platform,
    id: CallId,
    events: &[Event],
) -> Result<Standing, Fault> {
    let stored: Vec<(String, String)> = events.iter().map(Event::stored).collect();
    let facts = host.add_events(id, &stored).await?;
    let facts = facts.ok_or_else(|| Fault(format!("call {id} is gone")))?;
    standing(host, facts)
}

fn standing(host: &impl Platform, facts: Facts) -> Result<Standing, Fault> {
    let mut record: Record = serde_json::from_str(&facts.record)
        .map_err(|error| Fault(format!("a record does not read: {error}")))?;
    // An event of a form this version does not know is left for the version that does.
    let events = facts
        .events
        .iter()
        .filter_map(|(_, text)| Event::read(text));
    let call = Call::fold(events);
    if let Some((variables, at)) = call.connected() {
        record.learn(variables, at, call.fetched());
        // Whoever calls is the same person as when called.
        let number = Phone::parse(record.contact_number(), None);
        let organization = record.organization.as_str();
        record.contact = number
            .ok()
            .map(|number| contacts::of(host, organization, number.as_str()));
    }
    Ok(Standing { record, call })
}

/// The auth token of the account the call is placed with, as it is configured now: one that was replaced at Twilio opens
/// nothing there. The record's own where that configuration is gone, for the call goes on as it began.
pub(crate) async fn credential(host: &impl Platform, record: &Record) -> Result<Secret, Problem> {
    // A store that cannot be read is no reason to leave a live call alone either.
    let organization = store::organization(host, &record.organization).await;
    match organization.ok().flatten() {
        Some(organization) => configured_credential(host, &organization, record),
        None => stored_credential(host, record),
    }
}

/// The same, where the organization was read.
pub(crate) fn configured_credential(
    host: &impl Platform,
    organization: &Organization,
    record: &Record,
) -> Result<Secret, Problem> {
    let used = &record.telephony;
    let configured = organization.telephony(used.id);
    match configured.filter(|telephony| telephony.account_sid == used.account_sid) {
        Some(telephony) => open(host, record, &telephony.sealed_auth_token),
        None => stored_credential(host, record),
    }
}

/// The auth token the account had when the call was stored.
pub(crate) fn stored_credential(host: &impl Platform, record: &Record) -> Result<Secret, Problem> {
    open(host, record, &record.telephony.sealed_auth_token)
}

fn open(host: &impl Platform, record: &Record, sealed: &str) -> Result<Secret, Problem> {
    let owner = credential_owner(&record.organization, record.telephony.id);
    seal::open(&host.settings().encryption_key, &owner, sealed).ok_or_else(|| {
        Problem::Broken(format!(
            "the credential of {owner} does not open: another ENCRYPTION_KEY?"
        ))
    })
}
