//! An agent's CRM: what is fetched from it before a call, for `{{crm.*}}`.
//! Source: dialout's document, "CRM pre-fetch"; the fields of its configuration are ours.

use crate::known::Known;
use crate::seal;
use crate::secret::Secret;
use crate::settings::EncryptionKey;
use http::{Method, Request};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use validation::{Rule, WebhookUrl, WhenMissing, render};

/// The largest answer that is kept, in bytes: it is stored with the call.
const LARGEST: usize = 64 * 1024;

/// A request to an agent's CRM as it is configured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PreFetch {
    /// A template behind the host: `https://crm.example.com/customers?phone={{call.callerId}}`.
    pub url: String,
    /// `GET` or `POST`.
    pub method: String,
    /// Their values are encrypted, each for its agent and name.
    pub headers: BTreeMap<String, String>,
    /// How long the call waits for the answer, 1 to 10.
    pub timeout_seconds: u64,
}

/// What came of a pre-fetch. Kept on the call's record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fetched {
    pub took_ms: u64,
    /// Why there are no values, in a few words; none if the CRM answered.
    pub failed: Option<String>,
    pub values: Map<String, Value>,
}

/// What a stored header's value is bound to. `purpose` is the part of the agent's configuration it stands in.
pub fn header_owner(organization: &str, agent: &str, purpose: &str, header: &str) -> String {
    let header = header.to_ascii_lowercase();
    format!("agent:{organization}:{agent}:{purpose}:{header}")
}

/// Headers with their values opened by `key`. The error names the header that does not open.
pub fn open_headers(
    key: &EncryptionKey,
    headers: &BTreeMap<String, String>,
    owner: impl Fn(&str) -> String,
) -> Result<Vec<(String, Secret)>, String> {
    let open = |(name, sealed): (&String, &String)| {
        let value = seal::open(key, &owner(name), sealed);
        let value = value.ok_or_else(|| format!("header {name} does not open"))?;
        Ok((name.clone(), value))
    };
    headers.iter().map(open).collect()
}

/// Whether a URL's template leads where its owner wrote: nothing is filled in before its path.
pub fn check_url(template: &str, allowed: &[String]) -> Result<(), Rule> {
    let (scheme, rest) = template.split_once("://").unwrap_or((template, ""));
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    if scheme.contains("{{") || host.contains("{{") {
        let rule = "must name its host itself; values go into path and query alone";
        return Err(Rule::Other(rule.to_owned()));
    }
    let filled = render(template, |_| Some("x".to_owned()), WhenMissing::Empty);
    match WebhookUrl::parse(&filled.text, allowed) {
        Ok(_) => Ok(()),
        Err(why) => Err(Rule::Other(why.text().to_owned())),
    }
}

impl PreFetch {
    /// The request to send, without its headers' secrets; the error says why there is none.
    pub fn request(
        &self,
        known: &Known,
        value_of: impl Fn(&str) -> Option<String>,
        allowed: &[String],
    ) -> Result<Request<Vec<u8>>, String> {
        // A URL knows the call's facts and the request's values whatever the API's texts call them.
        let value = |path: &str| match path.starts_with("call.") {
            true => known.value(path).or_else(|| value_of(path)),
            false => value_of(path),
        };
        let percent_encoded = |path: &str| value(path).map(|value| encode(&value));
        let filled = render(&self.url, percent_encoded, WhenMissing::Empty);
        if let Some(name) = filled.missing.first() {
            return Err(format!("no value for {name}, which its URL names"));
        }
        check_url(&self.url, allowed).map_err(|rule| format!("its URL {}", rule.text()))?;
        let url = WebhookUrl::parse(&filled.text, allowed)
            .map_err(|why| format!("its URL {}", why.text()))?;
        let method =
            Method::from_bytes(self.method.as_bytes()).map_err(|error| error.to_string())?;
        let request = Request::builder().uri(url.as_str());
        let request = match method == Method::POST {
            true => {
                let body = json!({ "call": known.call.0, "variables": known.variables.0 });
                let request = request.header("content-type", "application/json");
                request.method(method).body(body.to_string().into_bytes())
            }
            false => request.method(method).body(Vec::new()),
        };
        request.map_err(|error| error.to_string())
    }
}

/// The values of an answer of this status: the fields of its JSON object.
pub fn read(status: u16, body: &[u8]) -> Result<Map<String, Value>, String> {
    if !(200..300).contains(&status) {
        return Err(format!("it answered {status}"));
    }
    if body.len() > LARGEST {
        return Err("its answer is larger than 64 KB".to_owned());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(values)) => Ok(values),
        _ => Err("its answer is no JSON object".to_owned()),
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters, so that a value stays one piece of a path or query.
fn encode(value: &str) -> String {
    let mut encoded = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url_of(template: &str, value: &str) -> Result<String, String> {
        let pre_fetch = PreFetch {
            url: template.to_owned(),
            method: "GET".to_owned(),
            headers: BTreeMap::new(),
            timeout_seconds: 5,
        };
        let value_of = |path: &str| (path == "call.id").then(|| value.to_owned());
        let request = pre_fetch.request(&Known::default(), value_of, &[])?;
        Ok(request.uri().to_string())
    }

    #[test]
    fn values_stay_where_they_are_put() {
        for (value, encoded) in [
            ("+15005550010", "%2B15005550010"),
            ("a b&c=d#e", "a%20b%26c%3Dd%23e"),
            ("../admin", "..%2Fadmin"),
            ("é@evil.example", "%C3%A9%40evil.example"),
            ("{{call.id}}", "%7B%7Bcall.id%7D%7D"),
        ] {
            assert_eq!(
                url_of("https://crm.example.com/c/{{call.id}}?x=1", value),
                Ok(format!("https://crm.example.com/c/{encoded}?x=1"))
            );
        }
        assert_eq!(
            url_of("https://crm.example.com/{{call.other}}", "x"),
            Err("no value for call.other, which its URL names".to_owned())
        );
    }

    #[test]
    fn no_value_chooses_the_host() {
        for template in [
            "https://{{call.id}}/x",
            "https://{{call.id}}.example.com/x",
            "https://crm.example.com{{call.id}}/x",
            "{{call.id}}://crm.example.com/x",
            "{{call.id}}",
            "https://crm.example.com:{{call.id}}/x",
            "http://crm.example.com/{{call.id}}",
            "https://127.0.0.1/{{call.id}}",
            "https://localhost/",
        ] {
            assert!(check_url(template, &[]).is_err(), "{template}");
            assert!(url_of(template, "evil.example").is_err(), "{template}");
        }
        assert!(check_url("https://crm.example.com?q={{call.id}}", &[]).is_ok());
        assert!(check_url("https://crm.example.com", &[]).is_ok());
    }

    #[test]
    fn an_answer_is_an_object() {
        let values = read(200, br#"{"name":"Rahul","plan":{"tier":2}}"#).unwrap();
        assert_eq!(values["plan"]["tier"], 2);
        assert_eq!(read(404, b"{}"), Err("it answered 404".to_owned()));
        for body in [b"[]".as_slice(), b"", b"<html>"] {
            assert_eq!(
                read(200, body),
                Err("its answer is no JSON object".to_owned())
            );
        }
        let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(LARGEST));
        assert!(read(200, large.as_bytes()).is_err());
    }
}
