//! The names configuration is stored under, and the only code that reads or writes it.

use crate::{Fault, Platform};
use calls::config::{Agent, Key, Organization};
use calls::dialect::AgentName;
use calls::record::Record;
use calls::secret;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) fn key_by_hash(sha256: &str) -> String {
    format!("key/{sha256}")
}

pub(crate) fn organization_name(id: &str) -> String {
    format!("organization/{id}")
}

pub(crate) fn agent_name(id: &str) -> String {
    format!("agent/{id}")
}

/// Where the id of the agent with another name is kept. UUIDs are compared in lower case.
pub(crate) fn agent_by(name: &AgentName) -> String {
    match name {
        AgentName::Id(id) => agent_name(id),
        AgentName::Trigger(uuid) => format!("agent-by/trigger/{}", uuid.to_ascii_lowercase()),
        AgentName::Bot(id) => format!("agent-by/bot/{id}"),
        AgentName::Integer(number) => format!("agent-by/integer/{number}"),
        AgentName::Assistant(uuid) => format!("agent-by/assistant/{}", uuid.to_ascii_lowercase()),
    }
}

/// The prefixes of everything configured, in the order an export shows it and an import writes it:
/// keys last, so that nothing can be used before what it uses is there.
pub(crate) const PREFIXES: [&str; 4] = ["organization/", "agent/", "agent-by/", "key/"];

/// The longest name looked up: longer ones cannot have been stored, and stores refuse them.
const LONGEST: usize = 200;

pub(crate) async fn key(host: &impl Platform, api_key: &str) -> Result<Option<Key>, Fault> {
    key_of_hash(host, &secret::sha256_hex(api_key.as_bytes())).await
}

pub(crate) async fn key_of_hash(host: &impl Platform, sha256: &str) -> Result<Option<Key>, Fault> {
    read(host, &key_by_hash(sha256)).await
}

pub(crate) async fn organization(
    host: &impl Platform,
    id: &str,
) -> Result<Option<Organization>, Fault> {
    read(host, &organization_name(id)).await
}

pub(crate) async fn agent(host: &impl Platform, name: &AgentName) -> Result<Option<Agent>, Fault> {
    let stored_under = agent_by(name);
    if stored_under.len() > LONGEST {
        return Ok(None);
    }
    if matches!(name, AgentName::Id(_)) {
        return read(host, &stored_under).await;
    }
    match host.get(&stored_under).await? {
        Some(id) => read(host, &agent_name(&id)).await,
        None => Ok(None),
    }
}

/// The agent of a call as it is configured now, if it is still the organization's.
pub(crate) async fn agent_of(
    host: &impl Platform,
    record: &Record,
) -> Result<Option<Agent>, Fault> {
    let agent = agent(host, &AgentName::Id(record.agent.id.clone())).await?;
    Ok(agent.filter(|agent| agent.organization.as_ref() == Some(&record.organization)))
}

async fn read<T: DeserializeOwned>(host: &impl Platform, name: &str) -> Result<Option<T>, Fault> {
    let Some(text) = host.get(name).await? else {
        return Ok(None);
    };
    let stored = serde_json::from_str(&text);
    stored
        .map(Some)
        .map_err(|error| Fault(format!("{name} does not read: {error}")))
}

pub(crate) async fn write(
    host: &impl Platform,
    name: &str,
    document: &impl Serialize,
) -> Result<(), Fault> {
    let text = serde_json::to_string(document)
        .map_err(|error| Fault(format!("{name} does not write: {error}")))?;
    host.put(name, &text).await
}
