//! How a call went, in dialout's words: the result record, the names `{{result.…}}`, and the body of the post-call push.
//! Source: the dialler integration document, "Call result schema" and "CRM post-call push".

use crate::call::{Call, Verdict};
use crate::event::Outcome;
use crate::known::{Known, named};
use crate::media::TRANSFERRED;
use crate::record::Record;
use crate::time::Time;
use crate::voice::{EndedBy, Speaker};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use validation::zone::Zone;
use validation::{Variables, WhenMissing, render};

/// Where an agent's owner wants to hear of each of its calls, and in which words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Push {
    pub url: String,
    /// `POST`, `PUT` or `PATCH`.
    pub method: String,
    /// Their values are encrypted, each for its agent and name.
    pub headers: BTreeMap<String, String>,
    /// The CRM's names, and a template for the value of each; empty: the result record is sent as it is.
    pub key_mapper: BTreeMap<String, String>,
}

/// The result record.
pub fn record(record: &Record, call: &Call, now: Time) -> Value {
    json!({
        "session_id": record.id,
        // The customer's number, whoever called.
        "caller_id": record.contact_number(),
        "call_duration_seconds": call.duration_s(now),
        "disconnected_by": disconnected_by(call.ended().as_ref()),
        "transcript": transcript(call),
        "recording_url": call.recording_url(),
        "post_call_analysis": call.analysis(),
    })
}

/// The body of the push: the mapped fields, each a text, a name nobody knows empty.
pub fn push_body(push: &Push, of: &Record, call: &Call, now: Time) -> Value {
    if push.key_mapper.is_empty() {
        return record(of, call, now);
    }
    let mut known = Known::of(of, now);
    known.result = names(of, call, now);
    known.analysis = Variables(call.analysis().cloned().unwrap_or_default());
    let fill = |template: &String| {
        let filled = render(template, |path| known.value(path), WhenMissing::Empty);
        Value::String(filled.text)
    };
    let mapped = push
        .key_mapper
        .iter()
        .map(|(name, template)| (name.clone(), fill(template)));
    Value::Object(mapped.collect::<Map<_, _>>())
}

/// What `{{result.…}}` may name. Times are by the clocks of the agent's zone.
fn names(record: &Record, call: &Call, now: Time) -> Variables {
    let zone = Zone::parse(&record.timezone).unwrap_or(Zone::UTC);
    let time = |at: Option<Time>| at.map(|at| at.rfc3339_in(zone));
    let ended = call.ended();
    let by = disconnected_by(ended.as_ref());
    let transferred = ended.is_some_and(|verdict| verdict.reason == TRANSFERRED);
    named([
        ("session_id", json!(record.id)),
        ("call_id", json!(record.id)),
        ("caller_id", json!(record.contact_number())),
        ("call_duration_seconds", json!(call.duration_s(now))),
        ("disconnected_by", json!(by)),
        ("disposition", json!(disposition(by))),
        ("start_time", json!(time(Some(record.created_at)))),
        ("answer_time", json!(time(call.answered_at()))),
        ("end_time", json!(time(call.hung_up_at()))),
        ("transcript", json!(transcript(call))),
        ("recording_url", json!(call.recording_url())),
        (
            "was_transferred",
            json!(if transferred { "yes" } else { "no" }),
        ),
    ])
}

fn transcript(call: &Call) -> Vec<Value> {
    let lines = call.transcript();
    let shown = lines.iter().map(|line| {
        let speaker = match line.speaker {
            Speaker::Agent => "bot",
            Speaker::Contact => "customer",
        };
        json!({ "speaker": speaker, "text": line.text, "timestamp": line.at.rfc3339() })
    });
    shown.collect()
}

/// One of the document's six words. RNR is a phone that rang and was not taken.
fn disconnected_by(ended: Option<&Verdict>) -> &'static str {
    let Some(verdict) = ended else {
        return "error";
    };
    match (verdict.outcome, verdict.by) {
        (Outcome::Voicemail, _) => "voicemail",
        (Outcome::Busy | Outcome::NoAnswer, _) => "RNR",
        (Outcome::Completed, Some(EndedBy::Contact) | None)
        | (Outcome::Canceled, Some(EndedBy::Contact)) => "customer",
        (Outcome::Completed, Some(EndedBy::Agent | EndedBy::Gateway)) => "bot",
        (Outcome::Completed, Some(EndedBy::Timeout)) => "timeout",
        (Outcome::Completed, Some(EndedBy::Error))
        | (Outcome::Canceled | Outcome::Failed | Outcome::Lost | Outcome::Refused, _) => "error",
    }
}

fn disposition(disconnected_by: &str) -> &'static str {
    match disconnected_by {
        "customer" | "bot" | "timeout" => "Connected",
        "error" => "Failed",
        _ => "Unknown",
    }
}
