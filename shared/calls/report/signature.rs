//! Signatures as Standard Webhooks 1.0.0 has them: HMAC-SHA256 over `{id}.{timestamp}.{body}`, by a secret written
//! `whsec_` and base64. Receivers check them with the libraries of standardwebhooks.com.

use crate::secret::{self, Secret};
use crate::time::Time;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const PREFIX: &str = "whsec_";

/// A new secret of 32 random bytes.
pub fn new_secret(random: [[u8; 16]; 2]) -> Secret {
    Secret::new(format!("{PREFIX}{}", STANDARD.encode(random.concat())))
}

/// Whether a text is a secret: 24 to 64 bytes.
pub fn is_secret(text: &str) -> bool {
    key(text).is_some_and(|key| (24..=64).contains(&key.len()))
}

/// The headers of one attempt. Each secret gives a signature, so that a receiver who has either accepts it; without a
/// secret there is none.
pub fn headers(id: &str, now: Time, body: &str, secrets: &[Secret]) -> Vec<(&'static str, String)> {
    let timestamp = now.unix_s();
    let signed = format!("{id}.{timestamp}.{body}");
    let signatures: Vec<String> = secrets
        .iter()
        .filter_map(|secret| key(secret.expose()))
        .map(|key| {
            format!(
                "v1,{}",
                STANDARD.encode(secret::mac(&key, signed.as_bytes()))
            )
        })
        .collect();
    let mut headers = vec![
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp.to_string()),
    ];
    if !signatures.is_empty() {
        headers.push(("webhook-signature", signatures.join(" ")));
    }
    headers
}

fn key(secret: &str) -> Option<Vec<u8>> {
    STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of the Standard Webhooks libraries.
    #[test]
    fn signs_as_the_standard_says() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let old = Secret::new("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        let signed = |secrets: &[Secret]| {
            headers(
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                Time(1_614_265_330_999),
                r#"{"test": 2432232314}"#,
                secrets,
            )
        };
        assert_eq!(
            signed(std::slice::from_ref(&secret)),
            [
                ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned()),
                ("webhook-timestamp", "1614265330".to_owned()),
                (
                    "webhook-signature",
                    "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".to_owned()
                ),
            ]
        );
        let both = &signed(&[secret, old])[2].1;
        assert!(both.starts_with("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,"));
        assert_eq!(signed(&[]).len(), 2);
    }

    #[test]
    fn new_secrets_are_secrets() {
        let secret = new_secret([[1; 16], [2; 16]]);
        assert!(is_secret(secret.expose()));
        assert!(is_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
        for wrong in [
            "",
            "whsec_",
            "whsec_c2hvcnQ=",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_not base64!",
        ] {
            assert!(!is_secret(wrong), "{wrong}");
        }
    }
}
