//! Encryption of what is stored: provider credentials. ChaCha20-Poly1305 (RFC 8439) with the deployment's key;
//! the text is bound to what it belongs to, so that it opens nowhere else.

use crate::secret::Secret;
use crate::settings::EncryptionKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};

const PREFIX: &str = "v1:";

/// Encrypts `secret` for `owner` (`telephony:demo:41`). The nonce is the first 12 of 16 random bytes.
pub fn seal(key: &EncryptionKey, owner: &str, secret: &Secret, random: [u8; 16]) -> String {
    let mut nonce = Nonce::default();
    nonce.copy_from_slice(&random[..12]);
    let payload = Payload {
        msg: secret.expose().as_bytes(),
        aad: owner.as_bytes(),
    };
    let sealed = cipher(key)
        .encrypt(&nonce, payload)
        .expect("a credential is far below the cipher's limit of 256 GB");
    let mut bytes = nonce.to_vec();
    bytes.extend_from_slice(&sealed);
    format!("{PREFIX}{}", STANDARD_NO_PAD.encode(bytes))
}

/// Opens what [`seal`] made with the same key for the same owner.
pub fn open(key: &EncryptionKey, owner: &str, sealed: &str) -> Option<Secret> {
    let bytes = STANDARD_NO_PAD.decode(sealed.strip_prefix(PREFIX)?).ok()?;
    let (head, msg) = bytes.split_at_checked(12)?;
    let mut nonce = Nonce::default();
    nonce.copy_from_slice(head);
    let payload = Payload {
        msg,
        aad: owner.as_bytes(),
    };
    let opened = cipher(key).decrypt(&nonce, payload).ok()?;
    String::from_utf8(opened).ok().map(Secret::new)
}

fn cipher(key: &EncryptionKey) -> ChaCha20Poly1305 {
    let mut bytes = Key::default();
    bytes.copy_from_slice(&key.0);
    ChaCha20Poly1305::new(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_for_its_key_and_owner() {
        let key = EncryptionKey([7; 32]);
        let sealed = seal(&key, "telephony:demo:41", &Secret::new("token"), [3; 16]);
        assert!(!sealed.contains("token"));
        let opened = open(&key, "telephony:demo:41", &sealed);
        assert_eq!(opened.as_ref().map(Secret::expose), Some("token"));
        assert!(open(&key, "telephony:other:41", &sealed).is_none());
        assert!(open(&EncryptionKey([8; 32]), "telephony:demo:41", &sealed).is_none());
        assert!(open(&key, "telephony:demo:41", "v1:AAAA").is_none());
        assert!(open(&key, "telephony:demo:41", "token").is_none());
    }
}
