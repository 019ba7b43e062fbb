//! A number on an organization's suppression list: a person who is not to be called.

use crate::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The series all suppressions are entered in, newest last. An entry counts while the number's document points at it.
pub const SERIES: &str = "suppressions";

/// One number, as it is stored in the document named after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppression {
    pub v: u32,
    /// E.164.
    pub number: String,
    pub reason: Option<String>,
    pub source: Source,
    /// The call in which the person asked for it.
    pub call: Option<String>,
    pub at: Time,
    /// The number of its entry in the series.
    pub listed: u64,
}

/// Who put the number on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A program, through the API.
    Api,
    /// The administrator's file.
    Import,
    /// The person called, by a key of the phone.
    Key,
    /// The person called, in words that the agent understood.
    Agent,
}

impl Suppression {
    /// The name of the document of a number.
    pub fn document(number: &str) -> String {
        format!("suppressed/{number}")
    }

    /// The object every answer shows.
    pub fn show(&self) -> Value {
        json!({
            "number": self.number,
            "reason": self.reason,
            "source": self.source,
            "call_id": self.call,
            "created_at": self.at.rfc3339(),
        })
    }
}
