//! asisso: `POST /api/v1/public/agent/{uuid}` and `/api/v1/public/agent/test/{uuid}`.
//! Source: Asisso's page "API Trigger". Validation errors are FastAPI's, as its upstream answers them.

use super::{
    AgentName, Details, Dialect, PlaceCall, detail, detail_list, detail_malformed, number_issue,
};
use crate::call::{Call, Stage};
use crate::event::Outcome;
use crate::known::Known;
use crate::problem::Problem;
use crate::record::Record;
use crate::time::Time;
use serde_json::{Map, Value, json};
use validation::{Fields, Variables, WhenMissing};

/// The published agent, or its draft on the test URL.
pub struct Asisso {
    pub draft: bool,
}

/// Names in `initial_context` that Ringdown sets itself; a caller's values under them are passed over,
/// so that nobody can make an agent believe it called somebody else.
pub const RESERVED: [&str; 7] = [
    "called_number",
    "caller_number",
    "direction",
    // It would stand for the whole in a template's path.
    "initial_context",
    "provider",
    "runtime_configuration",
    "trigger_mode",
];

impl Dialect for Asisso {
    fn word(&self) -> &'static str {
        "asisso"
    }

    fn read_call(&self, path: &str, body: &Map<String, Value>) -> Result<PlaceCall, Problem> {
        let mut fields = Fields::of(body);
        let to = fields.required_text("phone_number");
        let context = fields
            .object("initial_context")
            .cloned()
            .unwrap_or_default();
        let telephony = fields.integer("telephony_configuration_id");
        fields.done().map_err(Problem::Invalid)?;
        let variables = context
            .into_iter()
            .filter(|(name, _)| !RESERVED.contains(&name.as_str()))
            .collect();
        Ok(PlaceCall {
            draft: self.draft,
            telephony,
            variables: Variables(variables),
            ..PlaceCall::new(AgentName::Trigger(path.to_owned()), to, "phone_number")
        })
    }

    fn show_placed(&self, record: &Record, _call: &Call) -> (u16, Value) {
        let run = record.call_id().map(crate::id::CallId::run);
        let body = json!({
            "status": "initiated",
            "workflow_run_id": run,
            "workflow_run_name": record.run_name,
        });
        (200, body)
    }

    fn show_problem(&self, problem: &Problem) -> (u16, Value) {
        let status = match problem {
            Problem::Malformed(why) => return (422, detail_malformed(why)),
            Problem::Invalid(issues) => return (422, detail_list(issues)),
            Problem::InvalidNumber(field, why) => {
                return (422, detail_list(&[number_issue(field, *why)]));
            }
            Problem::VariablesMissing(_) => 422,
            Problem::NoKey | Problem::WrongKey => 401,
            Problem::WrongCategory
            | Problem::NotAllowed
            | Problem::OrganizationInactive
            | Problem::ForeignAgent(_)
            | Problem::OutsideHours { .. }
            | Problem::OutsideWindow { .. }
            | Problem::Suppressed
            | Problem::AttemptCap { .. }
            | Problem::Forged => 403,
            // An agent nobody linked is told apart by voicing's API alone.
            Problem::NoAgent(_)
            | Problem::AgentWithoutOwner(_)
            | Problem::AgentWithoutOrganization(_) => {
                return (404, detail("Trigger not found or not active"));
            }
            Problem::NoTelephony
            | Problem::NoCaller
            | Problem::NoCall(_)
            | Problem::NoWebhook
            | Problem::NoDelivery
            | Problem::NoSuppression
            | Problem::NoRoute => 404,
            Problem::NotConfigured => 400,
            Problem::ProviderRefused { .. } => {
                return (
                    400,
                    detail(format!("Call failed to initiate: {}", problem.text())),
                );
            }
            Problem::NoSeat(_) | Problem::ProviderBusy => 429,
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
            Problem::NoVoice | Problem::NoChat { .. } => 503,
            Problem::AgentUnread(_) | Problem::Broken(_) => 500,
        };
        (status, detail(problem.text()))
    }

    fn own_variables(&self, to: &str, from: &str) -> Map<String, Value> {
        let mode = if self.draft { "test" } else { "production" };
        [
            ("called_number", to),
            ("caller_number", from),
            ("direction", "outbound"),
            ("provider", "twilio"),
            ("trigger_mode", mode),
        ]
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .into_iter()
        .collect()
    }

    /// `{{initial_context.user.name}}` and `{{user.name}}` are the same.
    fn value_of(&self, known: &Known, path: &str) -> Option<String> {
        let bare = path.strip_prefix("initial_context.").unwrap_or(path);
        known.variables.at(bare).or_else(|| known.named(path))
    }

    fn when_missing(&self) -> WhenMissing {
        WhenMissing::Empty
    }
}

impl Details for Asisso {
    /// A workflow run, read back by its number. What the call taught the agent is in `gathered_context`.
    fn show_call(&self, record: &Record, call: &Call, now: Time) -> Value {
        let ended = call.stage(record) == Stage::Ended;
        let transcript: Vec<Value> = call
            .transcript()
            .iter()
            .map(|line| json!({ "speaker": line.speaker, "text": line.text, "timestamp": line.at.rfc3339() }))
            .collect();
        json!({
            "id": record.call_id().map(crate::id::CallId::run),
            "name": record.run_name,
            "status": status(record, call),
            "is_completed": ended,
            "created_at": record.created_at.rfc3339(),
            "initial_context": record.variables,
            "gathered_context": gathered(call),
            "call_duration_seconds": call.duration_s(now),
            "transcript": transcript,
            "recording_url": call.recording_url(),
        })
    }
}

fn gathered(call: &Call) -> Value {
    let mut gathered = Map::new();
    if let Some(verdict) = call.ended() {
        gathered.insert("call_disposition".to_owned(), json!(verdict.reason));
        if verdict.outcome == Outcome::Voicemail {
            gathered.insert("voicemail_detected".to_owned(), json!(true));
        }
    }
    Value::Object(gathered)
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
        (Stage::Ended, Some(Outcome::Lost)) => "error",
        (Stage::Ended, Some(Outcome::Failed | Outcome::Refused) | None) => "failed",
    }
}
