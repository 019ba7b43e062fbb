//! dialout: `POST /api/v1/dialout` (also `/api/v1/sip/dialout`). Source: the dialler integration document; validation
//! errors are FastAPI's, as its upstream answers them.

use super::{
    AgentName, Caller, Dialect, PlaceCall, detail, detail_list, detail_malformed, number_issue,
};
use crate::call::Call;
use crate::known::Known;
use crate::problem::Problem;
use crate::record::Record;
use serde_json::{Map, Value, json};
use validation::variables::show;
use validation::{Country, Fields, NotAPhone, Phone, Rule, Variables, WhenMissing};

pub struct Dialout;

impl Dialect for Dialout {
    fn word(&self) -> &'static str {
        "dialout"
    }

    fn read_call(&self, _path: &str, body: &Map<String, Value>) -> Result<PlaceCall, Problem> {
        let mut fields = Fields::of(body);
        let agent = fields.required_text("bot_id");
        let to = fields.required_text("to_number");
        let from = fields.text("from_number").filter(|text| !text.is_empty());
        let variables = fields.object("variables");
        let connected_event = fields.object("connected_event");
        if variables.is_some() && connected_event.is_some() {
            let rule = Rule::Other("is another name of variables; give one of the two".to_owned());
            fields.refuse("connected_event", rule);
        }
        fields.done().map_err(Problem::Invalid)?;
        // "All values are stringified. Nested objects are JSON-encoded." Null becomes empty.
        let given = variables.or(connected_event).cloned().unwrap_or_default();
        let stringified =
            |(name, value): (String, Value)| (name, json!(show(&value).unwrap_or_default()));
        Ok(PlaceCall {
            from: from.map(Caller::Number),
            variables: Variables(given.into_iter().map(stringified).collect()),
            ..PlaceCall::new(AgentName::Bot(agent), to, "to_number")
        })
    }

    /// "E.164 format recommended": its diallers are Indian, and send numbers of India without the plus sign wherever
    /// the organization is.
    fn number(&self, text: &str, home: Option<Country>) -> Result<Phone, NotAPhone> {
        let without_plus = |text: &str| {
            text.starts_with("91")
                && text.len() == 12
                && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        Phone::parse(text, home).or_else(|why| match without_plus(text.trim()) {
            true => Phone::parse(&format!("+{}", text.trim()), None),
            false => Err(why),
        })
    }

    fn show_placed(&self, record: &Record, _call: &Call) -> (u16, Value) {
        (200, json!({ "status": "ok", "call_id": record.id }))
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
            | Problem::Suppressed
            | Problem::AttemptCap { .. }
            | Problem::Forged => 403,
            Problem::NoAgent(_)
            | Problem::ForeignAgent(_)
            | Problem::AgentWithoutOwner(_)
            | Problem::AgentWithoutOrganization(_) => return (404, detail("Bot not found")),
            Problem::NoCall(_)
            | Problem::NoWebhook
            | Problem::NoDelivery
            | Problem::NoSuppression
            | Problem::NoRoute => 404,
            Problem::OutsideHours { .. } | Problem::OutsideWindow { .. } => {
                return (
                    503,
                    detail(format!("outside_active_hours: {}", problem.text())),
                );
            }
            Problem::NoSeat(_) | Problem::NoVoice => {
                return (503, detail("No healthy fleet server available"));
            }
            Problem::NoTelephony
            | Problem::NotConfigured
            | Problem::NoCaller
            | Problem::ProviderRefused { .. }
            | Problem::ProviderBusy
            | Problem::NoChat { .. } => 503,
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
            Problem::AgentUnread(_) | Problem::Broken(_) => 500,
        };
        (status, detail(problem.text()))
    }

    fn value_of(&self, known: &Known, path: &str) -> Option<String> {
        known.value(path)
    }

    fn when_missing(&self) -> WhenMissing {
        WhenMissing::Literal
    }
}
