//! `X-Twilio-Signature`: base64 of HMAC-SHA1, keyed with the account's primary auth token, over the URL Twilio
//! requested and the form's fields sorted by name.
//! Source: Twilio, "Webhooks security"; its libraries' request validators.

use crate::secret::{self, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use std::collections::{BTreeMap, BTreeSet};

/// Whether Twilio signed this request. `url` is the address as it was requested, without fragment;
/// `body` is the form as received, empty for GET and WebSocket requests. A body that is no form is signed by its SHA-256,
/// which then stands in the query as `bodySHA256`.
///
/// Twilio is not of one mind about standard ports and trailing slashes of WebSocket addresses, so each form is tried.
pub fn genuine(token: &Secret, signature: &str, url: &str, body: &[u8]) -> bool {
    let Ok(given) = STANDARD.decode(signature) else {
        return false;
    };
    let fields = match hash_in(url) {
        Some(hash) if hash == secret::sha256_hex(body) => String::new(),
        Some(_) => return false,
        None => joined_fields(body),
    };
    forms_of(url).iter().any(|url| {
        let mut mac = keyed(token);
        mac.update(url.as_bytes());
        mac.update(fields.as_bytes());
        mac.verify_slice(&given).is_ok()
    })
}

/// The signature Twilio would put on a request to `url` with this form.
pub fn sign(token: &Secret, url: &str, body: &[u8]) -> String {
    let mut mac = keyed(token);
    mac.update(url.as_bytes());
    mac.update(joined_fields(body).as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// What the query says the body's SHA-256 is, in hex.
fn hash_in(url: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let (_, hash) = pairs.find(|(name, _)| name == "bodySHA256")?;
    Some(hash.into_owned())
}

fn keyed(token: &Secret) -> Hmac<Sha1> {
    Hmac::new_from_slice(token.expose().as_bytes()).expect("HMAC takes a key of any length")
}

/// Names with their values, sorted by name; several values of one name once each and sorted.
fn joined_fields(body: &[u8]) -> String {
    let mut fields: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body) {
        fields
            .entry(name.into_owned())
            .or_default()
            .insert(value.into_owned());
    }
    fields
        .iter()
        .flat_map(|(name, values)| {
            values
                .iter()
                .flat_map(move |value| [name.as_str(), value.as_str()])
        })
        .collect()
}

/// The address with and without its standard port, and, for WebSockets, with and without a trailing slash.
fn forms_of(url: &str) -> Vec<String> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return vec![url.to_owned()];
    };
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    let standard = match scheme {
        "https" | "wss" => ":443",
        _ => ":80",
    };
    let mut authorities = vec![authority.to_owned()];
    if let Some(bare) = authority.strip_suffix(standard) {
        authorities.push(bare.to_owned());
    } else if !has_port(authority) {
        authorities.push(format!("{authority}{standard}"));
    }
    let mut paths = vec![path.to_owned()];
    if scheme.starts_with("ws") {
        paths.push(match path.strip_suffix('/') {
            Some(bare) => bare.to_owned(),
            None => format!("{path}/"),
        });
    }
    let with_path = |authority: &String| -> Vec<String> {
        paths
            .iter()
            .map(|path| format!("{scheme}://{authority}{path}"))
            .collect()
    };
    authorities.iter().flat_map(with_path).collect()
}

fn has_port(authority: &str) -> bool {
    authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &[u8] =
        b"CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309";

    #[track_caller]
    fn check(url: &str, body: &[u8], signature: &str, expected: bool) {
        assert_eq!(
            genuine(&Secret::new("12345"), signature, url, body),
            expected,
            "{url}"
        );
    }

    // The vectors of Twilio's own libraries.
    #[test]
    fn accepts_what_twilio_signs() {
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        check(url, FORM, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", true);
        check(url, FORM, "kvajT1Ptam85bY51eRf/AJRuM3w=", true);
        check(
            &url.replace(".com/", ".com:443/"),
            FORM,
            "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
            true,
        );
        check(
            "http://mycompany.com:1234/myapp.php?foo=1&bar=2",
            FORM,
            "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=",
            true,
        );
        check(
            "http://mycompany.com/myapp.php?foo=1&bar=2",
            FORM,
            "0ZXoZLH/DfblKGATFgpif+LLRf4=",
            true,
        );
    }

    #[test]
    fn repeated_fields_count_once_and_sorted() {
        let body = b"Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234";
        check(
            "https://mycompany.com/myapp.php?foo=1&bar=2",
            body,
            "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
            true,
        );
    }

    #[test]
    fn a_body_that_is_no_form_is_signed_by_its_hash() {
        let body = br#"{"property": "value", "boolean": true}"#;
        let hash = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
        let url = format!("https://mycompany.com/myapp.php?foo=1&bar=2&bodySHA256={hash}");
        let signature = "a9nBmqA0ju/hNViExpshrM61xv4=";
        check(&url, body, signature, true);
        check(
            &url,
            br#"{"property": "other", "boolean": true}"#,
            signature,
            false,
        );
        check(&url, b"", signature, false);
        check(&url.replace("0a1f", "0A1F"), body, signature, false);
        check(&url.replace(hash, ""), body, signature, false);
    }

    #[test]
    fn refuses_the_rest() {
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        let good = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
        check(&url.replace("bar=2", "bar=3"), FORM, good, false);
        check(&url.replace("https", "http"), FORM, good, false);
        check(&url.replace(".php", ".php/"), FORM, good, false);
        check(url, &FORM[..FORM.len() - 1], good, false);
        check(url, FORM, "", false);
        check(url, FORM, "not base64", false);
        assert!(!genuine(&Secret::new("54321"), good, url, FORM));
    }

    #[test]
    fn empty_fields_count() {
        let token = Secret::new("12345");
        let signature = sign(&token, "https://a.example/s", b"A=&B=1");
        assert!(genuine(
            &token,
            &signature,
            "https://a.example/s",
            b"B=1&A="
        ));
        assert!(!genuine(&token, &signature, "https://a.example/s", b"B=1"));
    }

    #[test]
    fn sockets_may_gain_a_slash() {
        let token = Secret::new("12345");
        let signature = sign(&token, "wss://a.example/media/t/", b"");
        assert!(genuine(&token, &signature, "wss://a.example/media/t", b""));
    }
}
