//! An agent's CRM is asked before a call what it knows of the person called. Whatever it answers, the call goes on.

use crate::{Platform, SendError};
use calls::config::Agent;
use calls::crm::{self, Fetched, PreFetch, header_owner, open_headers};
use calls::known::Known;
use calls::secret::Secret;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

/// What the agent's CRM says, if it has one; what went wrong is noted and logged.
pub(crate) async fn fetch(
    host: &impl Platform,
    agent: &Agent,
    known: &Known,
    value_of: impl Fn(&str) -> Option<String>,
) -> Option<Fetched> {
    let pre_fetch = agent.pre_fetch.as_ref()?;
    let began = host.now();
    let answer = ask(host, agent, pre_fetch, known, value_of).await;
    let took_ms = host.now().0.saturating_sub(began.0);
    let (values, failed) = match answer {
        Ok(values) => (values, None),
        Err(why) => {
            let line = json!({
                "level": "warn", "message": "a CRM was asked in vain", "agent": agent.id, "cause": why,
            });
            host.log(&line.to_string());
            (Map::new(), Some(why))
        }
    };
    Some(Fetched {
        took_ms,
        failed,
        values,
    })
}

async fn ask(
    host: &impl Platform,
    agent: &Agent,
    pre_fetch: &PreFetch,
    known: &Known,
    value_of: impl Fn(&str) -> Option<String>,
) -> Result<Map<String, Value>, String> {
    let settings = host.settings();
    let mut request = pre_fetch.request(known, value_of, &settings.allowed_private_origins)?;
    let organization = agent.organization.as_deref().unwrap_or_default();
    let owner = |name: &str| header_owner(organization, &agent.id, "pre_fetch", name);
    let headers = open_headers(&settings.encryption_key, &pre_fetch.headers, owner)?;
    set_headers(request.headers_mut(), headers);
    let timeout_ms = pre_fetch.timeout_seconds * 1000;
    match host.send(request, timeout_ms).await {
        Ok(answer) => crm::read(answer.status().as_u16(), answer.body()),
        // The host's words may name the address, and so the person.
        Err(SendError::NotSent(_)) => Err("it could not be reached".to_owned()),
        Err(SendError::Unclear(_)) => Err(format!(
            "it did not answer in {} s",
            pre_fetch.timeout_seconds
        )),
    }
}

/// Sets the headers an agent's requests carry. An import lets only what can stand in a header pass.
pub(crate) fn set_headers(headers: &mut HeaderMap, given: Vec<(String, Secret)>) {
    for (name, value) in given {
        if let (Ok(name), Ok(mut value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(value.expose()),
        ) {
            value.set_sensitive(true);
            headers.insert(name, value);
        }
    }
}
