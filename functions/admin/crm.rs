//! The CRM of an agent, and what it wants analysed, as an import's line gives it and an export's shows it.

use crate::Platform;
use calls::analysis::Analysis;
use calls::crm::{PreFetch, check_url, header_owner};
use calls::result::Push;
use calls::seal;
use calls::secret::Secret;
use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use validation::WebhookUrl;

/// Headers of the request's transport, which no configuration sets.
const RESERVED: [&str; 6] = [
    "host",
    "content-length",
    "connection",
    "transfer-encoding",
    "upgrade",
    "te",
];

/// Keys of a key mapper.
const MOST_KEYS: usize = 200;

/// Headers by name, with their values as they are sent or, in an export, encrypted.
type Headers = BTreeMap<String, String>;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PreFetchLine {
    url: String,
    #[serde(default = "get")]
    method: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: Headers,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers_sealed: Headers,
    #[serde(default = "five")]
    timeout_seconds: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PushLine {
    url: String,
    #[serde(default = "post")]
    method: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: Headers,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers_sealed: Headers,
    /// The CRM's names, and a template for the value of each.
    #[serde(default)]
    key_mapper: BTreeMap<String, String>,
}

fn post() -> String {
    "POST".to_owned()
}

fn get() -> String {
    "GET".to_owned()
}

fn five() -> u64 {
    5
}

/// Whose headers these are: organization, agent, and the part of its configuration.
pub(super) struct Whose<'a> {
    pub(super) organization: &'a str,
    pub(super) agent: &'a str,
    pub(super) part: &'static str,
}

pub(super) fn pre_fetch(
    host: &impl Platform,
    line: PreFetchLine,
    whose: &Whose<'_>,
) -> Result<PreFetch, String> {
    check_url(&line.url, &host.settings().allowed_private_origins)
        .map_err(|rule| format!("url {}", rule.text()))?;
    check_method(&line.method, &["GET", "POST"])?;
    if !(1..=10).contains(&line.timeout_seconds) {
        return Err("timeout_seconds must be between 1 and 10".to_owned());
    }
    Ok(PreFetch {
        url: line.url,
        method: line.method,
        headers: sealed(host, line.headers, line.headers_sealed, whose)?,
        timeout_seconds: line.timeout_seconds,
    })
}

pub(super) fn of_pre_fetch(pre_fetch: PreFetch) -> PreFetchLine {
    PreFetchLine {
        url: pre_fetch.url,
        method: pre_fetch.method,
        headers: Headers::new(),
        headers_sealed: pre_fetch.headers,
        timeout_seconds: pre_fetch.timeout_seconds,
    }
}

pub(super) fn push(
    host: &impl Platform,
    line: PushLine,
    whose: &Whose<'_>,
) -> Result<Push, String> {
    WebhookUrl::parse(&line.url, &host.settings().allowed_private_origins)
        .map_err(|why| format!("url {}", why.text()))?;
    check_method(&line.method, &["POST", "PUT", "PATCH"])?;
    if line.key_mapper.len() > MOST_KEYS {
        return Err(format!("key_mapper: {MOST_KEYS} keys at most"));
    }
    Ok(Push {
        url: line.url,
        method: line.method,
        headers: sealed(host, line.headers, line.headers_sealed, whose)?,
        key_mapper: line.key_mapper,
    })
}

pub(super) fn of_push(push: Push) -> PushLine {
    PushLine {
        url: push.url,
        method: push.method,
        headers: Headers::new(),
        headers_sealed: push.headers,
        key_mapper: push.key_mapper,
    }
}

pub(super) fn check_analysis(analysis: &Analysis) -> Result<(), String> {
    if analysis.prompt.trim().is_empty() {
        return Err("prompt must not be empty".to_owned());
    }
    match &analysis.schema {
        Some(schema) if !schema.is_object() => {
            Err("schema must be a JSON schema, an object".to_owned())
        }
        _ => Ok(()),
    }
}

fn check_method(method: &str, methods: &[&str]) -> Result<(), String> {
    match methods.contains(&method) {
        true => Ok(()),
        false => Err(format!("method must be {}", methods.join(" or "))),
    }
}

/// The headers as they are stored: all values encrypted, for nobody can tell which of them are secret.
fn sealed(
    host: &impl Platform,
    given: Headers,
    given_sealed: Headers,
    whose: &Whose<'_>,
) -> Result<Headers, String> {
    let key = &host.settings().encryption_key;
    let owner = |name: &str| header_owner(whose.organization, whose.agent, whose.part, name);
    let mut stored = Headers::new();
    for (name, sealed) in given_sealed {
        if seal::open(key, &owner(&name), &sealed).is_none() {
            return Err(format!(
                "headers_sealed: {name} does not open: it was sealed with another ENCRYPTION_KEY or for another agent"
            ));
        }
        stored.insert(name, sealed);
    }
    for (name, value) in given {
        let lower = name.to_ascii_lowercase();
        if HeaderName::from_bytes(name.as_bytes()).is_err() || RESERVED.contains(&lower.as_str()) {
            return Err(format!("headers: {name} is no header that can be set"));
        }
        if HeaderValue::from_str(&value).is_err() {
            return Err(format!(
                "headers: the value of {name} cannot stand in a header"
            ));
        }
        let sealed = seal::seal(key, &owner(&name), &Secret::new(value), host.random());
        stored.insert(name, sealed);
    }
    Ok(stored)
}
