//! `X-Twilio-Signature`, written from Twilio's description and from nothing of ours.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Signs a request: HMAC-SHA1 with the account's auth token over the URL and the sorted posted fields.
///
/// Repeated fields count once per distinct value, in order of value.
pub(crate) fn signature(auth_token: &str, url: &str, fields: &[(String, String)]) -> String {
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort();
    sorted.dedup();
    let mut signed = signed_url(url);
    for (name, value) in sorted {
        signed.push_str(name);
        signed.push_str(value);
    }
    let mut mac = Hmac::<Sha1>::new_from_slice(auth_token.as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(signed.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// The URL of a request whose body is not a form, which Twilio signs through its hash.
pub(crate) fn with_body_hash(url: &str, body: &[u8]) -> String {
    let hash: String = Sha256::digest(body)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let sign = if url.contains('?') { '&' } else { '?' };
    format!("{url}{sign}bodySHA256={hash}")
}

/// What of a URL is requested and signed: all but the fragment and the user's name and password.
pub(crate) fn signed_url(url: &str) -> String {
    let url = url.split('#').next().unwrap_or(url);
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "://mycompany.com/myapp.php?foo=1&bar=2";

    fn fields() -> Vec<(String, String)> {
        [
            ("To", "+18005551212"),
            ("CallSid", "CA1234567890ABCDE"),
            ("Digits", "1234"),
            ("From", "+14158675309"),
            ("Caller", "+14158675309"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    #[test]
    fn matches_the_published_vectors() {
        for (url, expected) in [
            (format!("https{PAGE}"), "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
            (
                format!("https{}", PAGE.replace(".com", ".com:443")),
                "kvajT1Ptam85bY51eRf/AJRuM3w=",
            ),
            (
                format!("http{}", PAGE.replace(".com", ".com:1234")),
                "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=",
            ),
            (
                format!("http{}", PAGE.replace(".com", ".com:80")),
                "0ZXoZLH/DfblKGATFgpif+LLRf4=",
            ),
        ] {
            assert_eq!(signature("12345", &url, &fields()), expected, "{url}");
        }
    }

    #[test]
    fn repeated_fields_count_once_and_sorted() {
        let fields = [
            ("Sid", "CA123"),
            ("SidAccount", "AC123"),
            ("Digits", "5678"),
            ("Digits", "1234"),
            ("Digits", "1234"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(
            signature("12345", &format!("https{PAGE}"), &fields),
            "IK+Dwps556ElfBT0I3Rgjkr1wJU="
        );
    }

    #[test]
    fn a_body_is_signed_through_its_hash() {
        let url = with_body_hash(
            &format!("https{PAGE}"),
            br#"{"property": "value", "boolean": true}"#,
        );
        assert!(
            url.ends_with(
                "&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
            ),
            "{url}"
        );
        assert_eq!(
            signature("12345", &url, &[]),
            "a9nBmqA0ju/hNViExpshrM61xv4="
        );
    }

    #[test]
    fn fragment_and_password_are_not_part_of_it() {
        let plain = signature("12345", "https://h.example/p?a=%20b", &[]);
        for url in [
            "https://h.example/p?a=%20b#rc=3&rp=5xx",
            "https://me:pw@h.example/p?a=%20b",
        ] {
            assert_eq!(signature("12345", url, &[]), plain, "{url}");
        }
    }
}
