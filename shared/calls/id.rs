//! The call's id and the integer some dialects show instead of it.

use crate::secret;
use uuid::Uuid;

/// A call's id: a UUID of version 8 whose first 53 payload bits are the run number and whose other 69 are a MAC
/// of organization and number. So the number alone leads back to the id, and nobody can make up an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(Uuid);

/// The largest run number: the largest integer that JavaScript, and so Zapier, keeps exact.
pub const MAX_RUN: u64 = (1 << 53) - 1;

impl CallId {
    /// The id of run `number` of `organization`. `key` is the deployment's signing key.
    pub fn of_run(key: &[u8], organization: &str, number: u64) -> CallId {
        let number = number & MAX_RUN;
        let mac = secret::mac(key, format!("call id:{organization}:{number}").as_bytes());
        let mut bytes = [0_u8; 16];
        bytes[..6].copy_from_slice(&(number >> 5).to_be_bytes()[2..]);
        bytes[6] = 0x80 | ((number >> 1) & 0x0f) as u8;
        bytes[7] = (((number & 1) as u8) << 7) | (mac[0] & 0x7f);
        bytes[8] = 0x80 | (mac[1] & 0x3f);
        bytes[9..].copy_from_slice(&mac[2..9]);
        CallId(Uuid::from_bytes(bytes))
    }

    /// A new run number: milliseconds in the upper bits, so that numbers grow, and 12 random ones below.
    pub fn fresh_run(now_ms: u64, random: [u8; 16]) -> u64 {
        let low = u64::from(u16::from_be_bytes([random[0], random[1]]) & 0x0fff);
        ((now_ms << 12) | low) & MAX_RUN
    }

    /// The run number inside this id.
    pub fn run(self) -> u64 {
        let bytes = self.0.as_bytes();
        let mut high = [0_u8; 8];
        high[2..].copy_from_slice(&bytes[..6]);
        (u64::from_be_bytes(high) << 5)
            | (u64::from(bytes[6] & 0x0f) << 1)
            | u64::from(bytes[7] >> 7)
    }

    /// Reads a UUID in any of its usual forms. Whether such a call exists is another question.
    pub fn parse(text: &str) -> Option<CallId> {
        Uuid::try_parse(text).ok().map(CallId)
    }
}

impl std::fmt::Display for CallId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_leads_back_to_its_id() {
        for number in [0, 1, 12_345, MAX_RUN - 1, MAX_RUN] {
            let id = CallId::of_run(b"key", "demo", number);
            assert_eq!(id.run(), number);
            assert_eq!(CallId::parse(&id.to_string()), Some(id));
            assert_eq!(id.to_string().as_bytes()[14], b'8');
        }
        assert_ne!(
            CallId::of_run(b"key", "demo", 7),
            CallId::of_run(b"key", "other", 7)
        );
        assert_ne!(
            CallId::of_run(b"key", "demo", 7),
            CallId::of_run(b"yek", "demo", 7)
        );
    }

    #[test]
    fn fresh_numbers_grow_with_time() {
        let early = CallId::fresh_run(1_795_167_000_000, [0xff; 16]);
        let late = CallId::fresh_run(1_795_167_000_001, [0; 16]);
        assert!(early < late && late <= MAX_RUN);
    }
}
