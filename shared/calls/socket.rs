//! What the WebSockets of diallers and chats have in common: close codes, and messages that are not for reading.

/// The longest message that is read, in bytes: a quarter of a second of audio is under 8 KB.
pub const LONGEST_MESSAGE: usize = 64 * 1024;

/// How a socket is closed: a code of RFC 6455 §7.4.1, and a reason of at most 123 bytes for the other side's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    pub code: u16,
    pub reason: &'static str,
}

/// The conversation is over, in order.
pub const NORMAL: Close = Close {
    code: 1000,
    reason: "",
};

/// A message that is not read at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    Binary,
    /// Longer than [`LONGEST_MESSAGE`].
    TooLarge,
}

impl Unusable {
    pub fn close(self) -> Close {
        match self {
            Unusable::Binary => Close {
                code: 1003,
                reason: "messages are text",
            },
            Unusable::TooLarge => Close {
                code: 1009,
                reason: "a message is larger than 64 KB",
            },
        }
    }
}
