//! burki: `POST /calls/initiate`. Source: Burki's page "Initiate Call"; the texts its source answers are kept.

use super::{AgentName, Caller, Dialect, PlaceCall, detail, detail_list, detail_malformed};
use crate::call::Call;
use crate::known::Known;
use crate::problem::Problem;
use crate::record::Record;
use serde_json::{Map, Value, json};
use validation::{Country, Fields, NotAPhone, Phone, Variables, WhenMissing};

pub struct Burki;

impl Dialect for Burki {
    fn word(&self) -> &'static str {
        "burki"
    }

    fn read_call(&self, _path: &str, body: &Map<String, Value>) -> Result<PlaceCall, Problem> {
        let mut fields = Fields::of(body);
        let agent = fields.required_integer("assistant_id");
        let to = fields.required_text("to_phone_number");
        let from = fields
            .text("from_phone_number")
            .filter(|text| !text.is_empty());
        let greeting = fields
            .text("welcome_message")
            .filter(|text| !text.is_empty());
        let agenda = fields.text("agenda").filter(|text| !text.is_empty());
        let variables = fields.object("variables").cloned().unwrap_or_default();
        fields.done().map_err(Problem::Invalid)?;
        Ok(PlaceCall {
            from: from.map(Caller::Number),
            variables: Variables(variables),
            greeting,
            agenda,
            ..PlaceCall::new(AgentName::Integer(agent), to, "to_phone_number")
        })
    }

    /// "The destination phone number to call, in E.164 format."
    fn number(&self, text: &str, _home: Option<Country>) -> Result<Phone, NotAPhone> {
        Phone::parse(text, None)
    }

    fn show_placed(&self, _record: &Record, call: &Call) -> (u16, Value) {
        let body = json!({ "message": "Call initiated successfully", "call_sid": call.sid() });
        (200, body)
    }

    fn show_problem(&self, problem: &Problem) -> (u16, Value) {
        let status = match problem {
            Problem::Malformed(why) => return (422, detail_malformed(why)),
            Problem::Invalid(issues) => return (422, detail_list(issues)),
            Problem::InvalidNumber(..) => {
                return (
                    400,
                    detail("Invalid phone number format. Use E.164 format (e.g., +1234567890)"),
                );
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
            Problem::NoAgent(_)
            | Problem::AgentWithoutOwner(_)
            | Problem::AgentWithoutOrganization(_) => {
                return (404, detail("Assistant not found"));
            }
            Problem::NoCall(_)
            | Problem::NoWebhook
            | Problem::NoDelivery
            | Problem::NoSuppression
            | Problem::NoRoute => 404,
            Problem::NoSeat(_) | Problem::ProviderBusy => 503,
            Problem::ProviderRefused {
                number_at_fault: true,
                ..
            } => 400,
            Problem::NoTelephony | Problem::NotConfigured | Problem::NoCaller => 500,
            Problem::ProviderRefused {
                number_at_fault: false,
                ..
            }
            | Problem::AgentUnread(_)
            | Problem::Broken(_) => return (500, detail("Failed to initiate outbound call")),
            Problem::DialUnknown(_) => 504,
            Problem::IdempotencyConflict
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
        };
        (status, detail(problem.text()))
    }

    fn value_of(&self, known: &Known, path: &str) -> Option<String> {
        known.variables.at(path).or_else(|| known.named(path))
    }

    fn names_sid(&self) -> bool {
        true
    }

    fn when_missing(&self) -> WhenMissing {
        WhenMissing::Empty
    }
}
