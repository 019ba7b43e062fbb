//! How Twilio says a call stands, and how a call ended, with their words.

use serde::{Deserialize, Serialize};

/// How Twilio's word reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    Callback,
    Poll,
}

/// Twilio's call statuses (Call resource and status callbacks), in the order a call goes through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    Queued,
    Initiated,
    Ringing,
    InProgress,
    Completed,
    Busy,
    Failed,
    NoAnswer,
    Canceled,
}

impl Status {
    pub fn parse(word: &str) -> Option<Status> {
        Some(match word {
            "queued" => Status::Queued,
            "initiated" => Status::Initiated,
            "ringing" => Status::Ringing,
            "in-progress" | "answered" => Status::InProgress,
            "completed" => Status::Completed,
            "busy" => Status::Busy,
            "failed" => Status::Failed,
            "no-answer" => Status::NoAnswer,
            "canceled" => Status::Canceled,
            _ => return None,
        })
    }

    pub fn word(self) -> &'static str {
        match self {
            Status::Queued => "queued",
            Status::Initiated => "initiated",
            Status::Ringing => "ringing",
            Status::InProgress => "in-progress",
            Status::Completed => "completed",
            Status::Busy => "busy",
            Status::Failed => "failed",
            Status::NoAnswer => "no-answer",
            Status::Canceled => "canceled",
        }
    }

    pub fn is_final(self) -> bool {
        self >= Status::Completed
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Completed,
    Voicemail,
    Busy,
    NoAnswer,
    Canceled,
    Failed,
    /// Nobody could say what became of it.
    Lost,
    /// Accepted, but never dialled.
    Refused,
}

impl Outcome {
    pub const ALL: [Outcome; 8] = [
        Outcome::Completed,
        Outcome::Voicemail,
        Outcome::Busy,
        Outcome::NoAnswer,
        Outcome::Canceled,
        Outcome::Failed,
        Outcome::Lost,
        Outcome::Refused,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Outcome::Completed => "completed",
            Outcome::Voicemail => "voicemail",
            Outcome::Busy => "busy",
            Outcome::NoAnswer => "no_answer",
            Outcome::Canceled => "canceled",
            Outcome::Failed => "failed",
            Outcome::Lost => "lost",
            Outcome::Refused => "refused",
        }
    }

    pub fn parse(word: &str) -> Option<Outcome> {
        Outcome::ALL
            .into_iter()
            .find(|outcome| outcome.word() == word)
    }
}
