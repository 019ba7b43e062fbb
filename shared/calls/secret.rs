//! Secrets and the two MACs made with them. A secret has no `Debug` that shows it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// A value that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// HMAC-SHA256 of `message`.
pub fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = keyed(key);
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// HMAC-SHA256 of `message` as URL-safe base64 without padding, for headers and paths.
pub fn sign(key: &[u8], message: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(mac(key, message))
}

/// Whether `signature` is [`sign`] of `message`, compared in constant time.
pub fn signed(key: &[u8], message: &[u8], signature: &str) -> bool {
    let Ok(given) = URL_SAFE_NO_PAD.decode(signature) else {
        return false;
    };
    let mut mac = keyed(key);
    mac.update(message);
    mac.verify_slice(&given).is_ok()
}

/// Whether two texts are the same, in time that does not depend on where they differ.
pub fn same(a: &str, b: &str) -> bool {
    mac(b"same", a.as_bytes()) == mac(b"same", b.as_bytes())
}

/// SHA-256 in lower-case hex: how an API key is stored.
pub fn sha256_hex(text: &[u8]) -> String {
    hex(&Sha256::digest(text))
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_and_checks() {
        let signature = sign(b"key", b"message");
        assert!(signed(b"key", b"message", &signature));
        assert!(!signed(b"key", b"massage", &signature));
        assert!(!signed(b"other", b"message", &signature));
        assert!(!signed(b"key", b"message", "not base64!"));
    }

    #[test]
    fn matches_rfc_4231_case_2() {
        assert_eq!(
            hex(&mac(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn hides_itself() {
        assert_eq!(format!("{:?}", Secret::new("hush")), "Secret(…)");
    }
}
