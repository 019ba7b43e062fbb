//! Reports: what is sent out about a call, to whom, when again, and how it is signed.

pub mod outbox;
pub mod sample;
pub mod schedule;
pub mod signature;
pub mod webhooks;

use crate::call::Call;
use crate::dialect::Details;
use crate::dialect::ringdown::Ringdown;
use crate::id::CallId;
use crate::record::Record;
use crate::secret;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What a report tells of: the event types of Standard Webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// The call is over, whatever came of it.
    #[serde(rename = "call.ended")]
    CallEnded,
    /// The call's analysis came after its end was reported.
    #[serde(rename = "call.analysis_ready")]
    AnalysisReady,
}

impl Kind {
    pub const ALL: [Kind; 2] = [Kind::CallEnded, Kind::AnalysisReady];

    pub fn word(self) -> &'static str {
        match self {
            Kind::CallEnded => "call.ended",
            Kind::AnalysisReady => "call.analysis_ready",
        }
    }

    pub fn parse(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// What a report says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub kind: Kind,
    /// When what it tells of happened.
    pub at: Time,
    /// Its number among the call's reports, from 1: they may arrive in any order.
    pub sequence: u32,
}

/// The body of our own reports: `{"id","type","timestamp","sequence","data"}`, where `data` is the call as
/// `GET /v1/calls/{id}` shows it. The id is the report's, the same to everyone who gets it.
pub fn body(head: &Head, record: &Record, call: &Call) -> Value {
    json!({
        "id": format!("evt_{}{}", record.id.replace('-', ""), hash(&[head.kind.word()])),
        "type": head.kind.word(),
        "timestamp": head.at.rfc3339(),
        "sequence": head.sequence,
        "data": Ringdown.show_call(record, call, head.at),
    })
}

/// `webhook-id` of a delivery: `msg_`, the call's id and a hash, so that composing it twice makes one, and it leads
/// back to its call.
pub fn delivery_id(call: CallId, kind: Kind, target: &str) -> String {
    let call = call.to_string().replace('-', "");
    format!("{DELIVERY}{call}{}", hash(&[kind.word(), target]))
}

/// The call of a delivery. Whether there is such a one is another question.
pub fn call_of_delivery(id: &str) -> Option<CallId> {
    let (call, _) = id.strip_prefix(DELIVERY)?.split_at_checked(32)?;
    CallId::parse(call)
}

const DELIVERY: &str = "msg_";

fn hash(parts: &[&str]) -> String {
    secret::sha256_hex(parts.join("\n").as_bytes())[..16].to_owned()
}
