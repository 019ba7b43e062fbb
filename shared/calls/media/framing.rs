//! The two ways a voice talks over a socket: Twilio's Media Streams, or a dialler's frames. Inside, audio is µ-law.

use super::dialler::Dialler;
use super::message;
use crate::time::Time;

#[derive(Debug)]
pub(super) enum Framing {
    Twilio { stream: String },
    Dialler(Box<Dialler>),
}

impl Framing {
    /// The messages that play `audio` (µ-law) after whatever was sent before; `ahead_ms` of that is not played yet.
    pub(super) fn media(&mut self, audio: &[u8], ahead_ms: u64, now: Time) -> Vec<String> {
        match self {
            Framing::Twilio { stream } => vec![message::media(stream, audio)],
            Framing::Dialler(dialler) => dialler.media(audio, ahead_ms, now),
        }
    }

    /// Asks to be told when everything sent so far has been played, if the other side can tell.
    pub(super) fn mark(&self, name: &str) -> Option<String> {
        match self {
            Framing::Twilio { stream } => Some(message::mark(stream, name)),
            Framing::Dialler(_) => None,
        }
    }

    /// How long after a line's end it counts as heard without word of its mark, in milliseconds.
    pub(super) fn mark_ms(&self) -> u64 {
        match self {
            Framing::Twilio { .. } => 3_000,
            // What the way there and the dialler's own buffer may add.
            Framing::Dialler(_) => 300,
        }
    }

    /// Drops what has been sent and not played.
    pub(super) fn clear(&self) -> String {
        match self {
            Framing::Twilio { stream } => message::clear(stream),
            Framing::Dialler(dialler) => dialler.media_stop(),
        }
    }

    /// What is said before the socket is closed, if this side ends the call.
    pub(super) fn farewell(&self, message: &str) -> Vec<String> {
        match self {
            Framing::Twilio { .. } => Vec::new(),
            Framing::Dialler(dialler) => vec![dialler.media_stop(), dialler.hang_up(message)],
        }
    }
}
