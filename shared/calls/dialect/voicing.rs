//! voicing: reading calls back by `get-call-details`. Source: Voicing AI's "API Flow" guide.

mod asked;

pub use asked::{Page, call_id, call_ids};

use super::{AgentName, Details, Dialect, PlaceCall, detail};
use crate::call::{Call, Stage};
use crate::event::Outcome;
use crate::known::Known;
use crate::problem::Problem;
use crate::record::Record;
use crate::time::Time;
use serde_json::{Map, Value, json};
use validation::{Fields, Issue, Rule, Variables, WhenMissing};

pub struct Voicing;

impl Dialect for Voicing {
    fn word(&self) -> &'static str {
        "voicing"
    }

    fn read_call(&self, _path: &str, body: &Map<String, Value>) -> Result<PlaceCall, Problem> {
        let mut fields = Fields::of(body);
        let agent = fields.required_text("assistant_id");
        let to = fields.required_text("phone_number");
        let variables = fields
            .object("input_variables")
            .cloned()
            .unwrap_or_default();
        let provider = fields.required_text("telephony_provider");
        fields.done().map_err(Problem::Invalid)?;
        if provider != "default" {
            let rule = Rule::Other("must be \"default\"".to_owned());
            return Err(Problem::Invalid(vec![Issue::new(
                "telephony_provider",
                rule,
            )]));
        }
        Ok(PlaceCall {
            variables: Variables(variables),
            ..PlaceCall::new(AgentName::Assistant(agent), to, "phone_number")
        })
    }

    fn show_placed(&self, record: &Record, _call: &Call) -> (u16, Value) {
        let body = json!({
            "status": "success",
            "message": "Outbound call started successfully",
            "call_id": record.id,
        });
        (200, body)
    }

    fn show_problem(&self, problem: &Problem) -> (u16, Value) {
        let status = match problem {
            Problem::Malformed(_)
            | Problem::Invalid(_)
            | Problem::InvalidNumber(..)
            | Problem::VariablesMissing(_)
            | Problem::NotConfigured
            | Problem::NoTelephony
            | Problem::NoCaller => 400,
            Problem::NoKey
            | Problem::WrongKey
            | Problem::WrongCategory
            | Problem::NotAllowed
            | Problem::OrganizationInactive => return (401, detail("Invalid API token")),
            // "Assistant lookup failure is wrapped as bad request."
            Problem::AgentUnread(_) => {
                let why = "it could not be looked up; try again";
                return (400, detail(format!("Error fetching assistant: {why}")));
            }
            Problem::NoAgent(id) | Problem::ForeignAgent(id) => {
                return (404, detail(format!("Assistant with ID {id} not found")));
            }
            Problem::AgentWithoutOwner(_)
            | Problem::AgentWithoutOrganization(_)
            | Problem::NoCall(_)
            | Problem::NoWebhook
            | Problem::NoDelivery
            | Problem::NoSuppression
            | Problem::NoRoute => 404,
            Problem::OutsideHours { .. }
            | Problem::OutsideWindow { .. }
            | Problem::Suppressed
            | Problem::AttemptCap { .. }
            | Problem::Forged => 403,
            Problem::NoSeat(_)
            | Problem::ProviderBusy
            | Problem::NoVoice
            | Problem::NoChat { .. } => 503,
            Problem::ProviderRefused {
                number_at_fault: true,
                ..
            } => 400,
            Problem::ProviderRefused {
                number_at_fault: false,
                ..
            }
            | Problem::Broken(_) => return (500, detail("Failed to publish outbound call")),
            Problem::DialUnknown(_)
            | Problem::IdempotencyConflict
            | Problem::IdempotencyInProgress
            | Problem::IdempotencyUnknown { .. }
            | Problem::CallUnderWay(_)
            | Problem::CallOver(_) => 409,
            Problem::Replayed(first) => return self.show_problem(first),
            Problem::AtGate(why, _) => return self.show_problem(why),
            Problem::Method(_) => 405,
            Problem::TooLarge => 413,
            Problem::MediaType(_) => 415,
            Problem::UpgradeRequired => 426,
        };
        (status, detail(problem.text()))
    }

    fn value_of(&self, known: &Known, path: &str) -> Option<String> {
        known.variables.at(path).or_else(|| known.named(path))
    }

    fn when_missing(&self) -> WhenMissing {
        WhenMissing::Empty
    }
}

impl Details for Voicing {
    /// A live call's duration counts up. Times are absent until they are known, and whole seconds.
    fn show_call(&self, record: &Record, call: &Call, now: Time) -> Value {
        let mut shown = json!({
            "success": true,
            "call_id": record.id,
            "status": status(record, call),
            "duration": call.duration_s(now) as u64,
        });
        if let Some(at) = call.answered_at().or(call.dialled_at()) {
            shown["started_at"] = json!(at.rfc3339_whole());
        }
        if call.stage(record) == Stage::Ended {
            shown["ended_at"] = json!(call.hung_up_at().map(Time::rfc3339_whole));
        }
        shown
    }
}

fn status(record: &Record, call: &Call) -> &'static str {
    match (
        call.stage(record),
        call.ended().map(|verdict| verdict.outcome),
    ) {
        (Stage::Scheduled | Stage::Queued | Stage::Dialing, _) => "initiated",
        (Stage::Ringing, _) => "ringing",
        (Stage::InProgress, _) => "in-progress",
        (Stage::Ended, Some(Outcome::Completed | Outcome::Voicemail)) => "completed",
        (Stage::Ended, Some(Outcome::Busy)) => "busy",
        (Stage::Ended, Some(Outcome::NoAnswer)) => "no-answer",
        (Stage::Ended, Some(Outcome::Canceled)) => "canceled",
        (Stage::Ended, Some(Outcome::Failed | Outcome::Lost | Outcome::Refused) | None) => "failed",
    }
}
