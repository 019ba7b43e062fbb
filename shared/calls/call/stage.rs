//! Where a call is, in our own words.

use super::Call;
use crate::record::Record;

/// Where a call is, in our own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Persisted; its time has not come.
    Scheduled,
    /// Persisted; Twilio may or may not have heard of it.
    Queued,
    Dialing,
    Ringing,
    InProgress,
    Ended,
}

impl Stage {
    pub fn word(self) -> &'static str {
        match self {
            Stage::Scheduled => "scheduled",
            Stage::Queued => "queued",
            Stage::Dialing => "dialing",
            Stage::Ringing => "ringing",
            Stage::InProgress => "in_progress",
            Stage::Ended => "ended",
        }
    }

    pub const ALL: [Stage; 6] = [
        Stage::Scheduled,
        Stage::Queued,
        Stage::Dialing,
        Stage::Ringing,
        Stage::InProgress,
        Stage::Ended,
    ];

    pub fn parse(word: &str) -> Option<Stage> {
        Stage::ALL.into_iter().find(|stage| stage.word() == word)
    }
}

impl Call {
    pub fn stage(&self, record: &Record) -> Stage {
        if self.has("ended") {
            Stage::Ended
        } else if self.waits(record) {
            Stage::Scheduled
        } else if self.answered_at().is_some() {
            Stage::InProgress
        } else if self.ringing_at().is_some() {
            Stage::Ringing
        } else if self.sid().is_some() {
            Stage::Dialing
        } else {
            Stage::Queued
        }
    }
}
