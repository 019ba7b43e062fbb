//! AlloMia: `POST /api/outbound`, `GET /api/outbound/{id}/status`, and the report to `callbackUrl`, whose body is the
//! status. Source: AlloMia's pages "Create Outbound Call" and "Get Outbound Call Status".

use super::{AgentName, Caller, Details, Dialect, PlaceCall};
use crate::call::{Call, Verdict};
use crate::event::Outcome;
use crate::known::Known;
use crate::problem::Problem;
use crate::record::Record;
use crate::report::Head;
use crate::time::Time;
use crate::voice::EndedBy;
use serde_json::{Map, Value, json};
use validation::{Fields, Issue, Rule, Variables, WhenMissing};

pub struct AlloMia;

/// The name texts have for the person called.
const CUSTOMER_NAME: &str = "customerName";

impl Dialect for AlloMia {
    fn word(&self) -> &'static str {
        "allomia"
    }

    fn read_call(&self, _path: &str, body: &Map<String, Value>) -> Result<PlaceCall, Problem> {
        let mut fields = Fields::of(body);
        // "Must be between 10 and 20 characters", whatever they are.
        let to = fields.required_text_of("phoneNumber", 10, 20);
        let agent = fields.required_uuid("assistantId");
        let from = fields.required_uuid("phoneNumberId");
        let name = fields.text(CUSTOMER_NAME).filter(|text| !text.is_empty());
        let given = fields.object("dynamicVariables");
        let callback_url = fields.text("callbackUrl").filter(|text| !text.is_empty());
        let mut variables = given.cloned().unwrap_or_default();
        for (key, value) in &variables {
            if !value.is_string() {
                fields.refuse(&format!("dynamicVariables.{key}"), Rule::NotText);
            }
        }
        fields.done().map_err(Problem::Invalid)?;
        if let Some(name) = &name {
            variables.insert(CUSTOMER_NAME.to_owned(), json!(name));
        }
        Ok(PlaceCall {
            from: Some(Caller::Id(from)),
            variables: Variables(variables),
            contact_name: name,
            callback_url,
            ..PlaceCall::new(AgentName::Assistant(agent), to, "phoneNumber")
        })
    }

    fn show_placed(&self, record: &Record, _call: &Call) -> (u16, Value) {
        let body = json!({
            "outboundCallId": record.id,
            "contactId": contact(record),
            "status": "calling",
            "message": "Outbound call dispatched",
        });
        (200, body)
    }

    fn show_problem(&self, problem: &Problem) -> (u16, Value) {
        let details = |issues: &[Issue]| {
            let details: Vec<Value> = issues
                .iter()
                .map(|issue| json!({ "field": issue.field, "message": issue.rule.text() }))
                .collect();
            json!({ "error": "Invalid request data", "details": details })
        };
        let one =
            |field: &str, message: String| details(&[Issue::new(field, Rule::Other(message))]);
        let (status, text) = match problem {
            Problem::Malformed(why) => return (400, one("body", why.clone())),
            Problem::Invalid(issues) => return (400, details(issues)),
            Problem::InvalidNumber(field, why) => return (400, one(field, why.text().to_owned())),
            Problem::VariablesMissing(names) => {
                let missing =
                    |name: &String| Issue::new(format!("dynamicVariables.{name}"), Rule::Missing);
                return (400, details(&names.iter().map(missing).collect::<Vec<_>>()));
            }
            Problem::ProviderRefused {
                number_at_fault: true,
                ..
            } => return (400, one("phoneNumber", problem.text())),
            Problem::NoKey | Problem::WrongKey => (401, "Unauthorized".to_owned()),
            Problem::WrongCategory | Problem::NotAllowed => (403, "Forbidden".to_owned()),
            Problem::OutsideHours { .. }
            | Problem::OutsideWindow { .. }
            | Problem::Suppressed
            | Problem::AttemptCap { .. }
            | Problem::Forged => (403, problem.text()),
            Problem::NoAgent(_)
            | Problem::ForeignAgent(_)
            | Problem::AgentWithoutOwner(_)
            | Problem::AgentWithoutOrganization(_)
            | Problem::NoTelephony
            | Problem::NotConfigured
            | Problem::NoCaller
            | Problem::NoCall(_)
            | Problem::NoWebhook
            | Problem::NoDelivery
            | Problem::NoSuppression
            | Problem::NoRoute => (404, "Resource not found".to_owned()),
            Problem::OrganizationInactive => (422, problem.text()),
            Problem::NoSeat { .. }
            | Problem::ProviderBusy
            | Problem::NoVoice
            | Problem::NoChat { .. } => (503, problem.text()),
            Problem::DialUnknown(_)
            | Problem::IdempotencyConflict
            | Problem::IdempotencyInProgress
            | Problem::IdempotencyUnknown { .. }
            | Problem::CallUnderWay(_)
            | Problem::CallOver(_) => (409, problem.text()),
            Problem::Replayed(first) => return self.show_problem(first),
            Problem::AtGate(why, _) => return self.show_problem(why),
            Problem::Method(_) => (405, problem.text()),
            Problem::TooLarge => (413, problem.text()),
            Problem::MediaType(_) => (415, problem.text()),
            Problem::UpgradeRequired => (426, problem.text()),
            Problem::ProviderRefused {
                number_at_fault: false,
                ..
            }
            | Problem::AgentUnread(_)
            | Problem::Broken(_) => (500, "Internal server error".to_owned()),
        };
        (status, json!({ "error": text }))
    }

    fn value_of(&self, known: &Known, path: &str) -> Option<String> {
        known.variables.at(path).or_else(|| known.named(path))
    }

    fn when_missing(&self) -> WhenMissing {
        WhenMissing::Empty
    }

    fn names_contact(&self) -> bool {
        true
    }

    /// Once, and under an id the program was given.
    fn tells(&self, record: &Record, answered: bool) -> bool {
        record.attempt.is_none() && !answered
    }

    /// "The payload will mirror the Get Outbound Call Status response."
    fn show_report(&self, head: &Head, record: &Record, call: &Call) -> Value {
        self.show_call(record, call, head.at)
    }

    fn callback_field(&self) -> &'static str {
        "callbackUrl"
    }
}

impl Details for AlloMia {
    /// `callDetails` is absent until the call has ended. Its `duration` is whole seconds of conversation.
    fn show_call(&self, record: &Record, call: &Call, now: Time) -> Value {
        let ended = call.ended();
        let mut shown = json!({
            "outboundCallId": record.id,
            "contactId": contact(record),
            "status": status(ended.as_ref()),
        });
        if let Some(verdict) = &ended {
            let started = call.answered_at().or(call.dialled_at());
            shown["callDetails"] = json!({
                "startedAt": started.unwrap_or(record.created_at).rfc3339(),
                "endedAt": call.hung_up_at().unwrap_or(verdict.at).rfc3339(),
                "duration": call.duration_s(now) as u64,
                "endedReason": ended_reason(verdict),
            });
        }
        shown
    }
}

fn contact(record: &Record) -> Option<&str> {
    record.contact.as_ref().map(|contact| contact.id.as_str())
}

/// A terminal state is "completed, failed, busy, or no-answer"; anything before is `calling`.
fn status(ended: Option<&Verdict>) -> &'static str {
    match ended.map(|verdict| verdict.outcome) {
        None => "calling",
        Some(Outcome::Completed | Outcome::Voicemail) => "completed",
        Some(Outcome::Busy) => "busy",
        Some(Outcome::NoAnswer) => "no-answer",
        Some(Outcome::Failed | Outcome::Canceled | Outcome::Lost | Outcome::Refused) => "failed",
    }
}

/// In the words of Vapi's `endedReason`, whose vocabulary AlloMia's API has throughout.
fn ended_reason(verdict: &Verdict) -> &'static str {
    match verdict.outcome {
        Outcome::Voicemail => "voicemail",
        Outcome::Busy => "customer-busy",
        Outcome::NoAnswer => "customer-did-not-answer",
        Outcome::Canceled => "manually-canceled",
        Outcome::Lost => "unknown-error",
        Outcome::Refused => "call-start-error",
        // Twilio's reasons name the provider or SIP; the others are the voice's.
        Outcome::Failed if verdict.reason.starts_with("provider_") => {
            "twilio-failed-to-connect-call"
        }
        Outcome::Failed if verdict.reason.starts_with("sip_") => "twilio-failed-to-connect-call",
        Outcome::Failed => "assistant-error",
        Outcome::Completed => match verdict.by {
            Some(EndedBy::Agent) => "assistant-ended-call",
            Some(EndedBy::Contact) | None => "customer-ended-call",
            Some(EndedBy::Timeout) if verdict.reason == "silence" => "silence-timed-out",
            Some(EndedBy::Timeout) => "exceeded-max-duration",
            Some(EndedBy::Gateway) => "manually-canceled",
            Some(EndedBy::Error) => "assistant-error",
        },
    }
}
