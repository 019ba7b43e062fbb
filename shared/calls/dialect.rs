//! The dialects: each reads a vendor's request into our words and shows results and problems in the vendor's.
//! Wire shapes are private to their files. The documents of the five APIs are the source of each.

pub mod allomia;
pub mod asisso;
pub mod burki;
pub mod dialout;
pub mod ringdown;
pub mod voicing;

use crate::call::Call;
use crate::known::Known;
use crate::plan::Retry;
use crate::problem::Problem;
use crate::record::Record;
use crate::report::{self, Head};
use crate::time::Time;
use serde_json::{Map, Value, json};
use validation::{Country, Issue, NotAPhone, Phone, Rule, Variables, WhenMissing};

/// One vendor's API.
pub trait Dialect: Sync {
    /// Its name in records and logs.
    fn word(&self) -> &'static str;
    /// Reads a request to place a call. `path` is the part of the path that names the agent, if the API has one.
    fn read_call(&self, path: &str, body: &Map<String, Value>) -> Result<PlaceCall, Problem>;
    /// Whether a body may be a list of the one object meant, as no-code tools send it.
    fn takes_wrapped(&self) -> bool {
        false
    }
    /// The number a text means. `home`: the country of the organization, whose national numbers most documents allow.
    fn number(&self, text: &str, home: Option<Country>) -> Result<Phone, NotAPhone> {
        Phone::parse(text, home)
    }
    /// Status and body of a placed call.
    fn show_placed(&self, record: &Record, call: &Call) -> (u16, Value);
    /// Status and body of a problem.
    fn show_problem(&self, problem: &Problem) -> (u16, Value);
    /// Whether problems are RFC 9457 problem details, which carry the request's id.
    fn problem_details(&self) -> bool {
        false
    }
    /// What the agent is told of the call beside the program's variables, under names no program can set.
    fn own_variables(&self, _to: &str, _from: &str) -> Map<String, Value> {
        Map::new()
    }
    /// The value of a template's path.
    fn value_of(&self, known: &Known, path: &str) -> Option<String>;
    /// Whether the answer to a placed call must name Twilio's SID, and so wait for it.
    fn names_sid(&self) -> bool {
        false
    }
    /// Whether the answer to a placed call names the person called, who then is in the organization's contacts.
    fn names_contact(&self) -> bool {
        false
    }
    /// The field that says where the call's end is reported.
    fn callback_field(&self) -> &'static str {
        "callback_url"
    }
    /// Whether the callback URL is told of this call: of each attempt, and of one whose request was `answered` with its
    /// refusal, unless the dialect's document has another.
    fn tells(&self, _record: &Record, _answered: bool) -> bool {
        true
    }
    /// What the callback URL is told of the call's end: our own report, unless the dialect's document has another.
    fn show_report(&self, head: &Head, record: &Record, call: &Call) -> Value {
        report::body(head, record, call)
    }
    /// What stands in a template where no value is known, unless the agent says otherwise.
    fn when_missing(&self) -> WhenMissing;
}

/// The dialect a call was placed through.
pub fn of(record: &Record) -> &'static dyn Dialect {
    match record.dialect.as_str() {
        "asisso" if record.mode == "draft" => &asisso::Asisso { draft: true },
        "asisso" => &asisso::Asisso { draft: false },
        "allomia" => &allomia::AlloMia,
        "burki" => &burki::Burki,
        "dialout" => &dialout::Dialout,
        "voicing" => &voicing::Voicing,
        _ => &ringdown::Ringdown,
    }
}

/// A dialect that can show a call it is asked for.
pub trait Details: Dialect {
    fn show_call(&self, record: &Record, call: &Call, now: Time) -> Value;
}

/// What a program asks for: a call of one agent to one number.
#[derive(Clone, Debug, PartialEq)]
pub struct PlaceCall {
    pub agent: AgentName,
    /// Speak the draft if there is one.
    pub draft: bool,
    /// The number to call as it was given, and the field it stood in.
    pub to: String,
    pub to_field: &'static str,
    /// None: the first number of the telephony configuration.
    pub from: Option<Caller>,
    /// None: the organization's default.
    pub telephony: Option<i64>,
    pub variables: Variables,
    /// In place of the agent's own.
    pub greeting: Option<String>,
    pub agenda: Option<String>,
    /// The name of the person called.
    pub contact_name: Option<String>,
    /// Where the call's end is reported, beside the organization's webhooks.
    pub callback_url: Option<String>,
    /// The program's own name for the call.
    pub external_id: Option<String>,
    /// Given back with the call, never read.
    pub metadata: Map<String, Value>,
    /// When it may be dialled; neither: at once or not at all.
    pub earliest_at: Option<Time>,
    pub latest_at: Option<Time>,
    /// In place of the agent's own.
    pub retry: Option<Retry>,
    /// The time zone of the person called.
    pub timezone: Option<String>,
    /// Check everything and place nothing.
    pub dry_run: bool,
}

impl PlaceCall {
    /// A call of `agent` to the number `to`, which stood in the field `to_field`, with nothing else said.
    pub fn new(agent: AgentName, to: String, to_field: &'static str) -> PlaceCall {
        PlaceCall {
            agent,
            draft: false,
            to,
            to_field,
            from: None,
            telephony: None,
            variables: Variables::default(),
            greeting: None,
            agenda: None,
            contact_name: None,
            callback_url: None,
            external_id: None,
            metadata: Map::new(),
            earliest_at: None,
            latest_at: None,
            retry: None,
            timezone: None,
            dry_run: false,
        }
    }
}

/// The number to call from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    Number(String),
    Id(String),
}

/// An agent by the name a dialect has for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentName {
    /// Ringdown's own.
    Id(String),
    Trigger(String),
    Bot(String),
    Integer(i64),
    Assistant(String),
}

impl AgentName {
    pub fn text(&self) -> String {
        match self {
            AgentName::Id(text)
            | AgentName::Trigger(text)
            | AgentName::Bot(text)
            | AgentName::Assistant(text) => text.clone(),
            AgentName::Integer(number) => number.to_string(),
        }
    }
}

/// `{"detail": "…"}`, as three of the five answer.
fn detail(text: impl Into<String>) -> Value {
    json!({ "detail": text.into() })
}

/// FastAPI's list of validation errors: `{"detail":[{"loc","msg","type"}]}`.
fn detail_list(issues: &[Issue]) -> Value {
    let list: Vec<Value> = issues
        .iter()
        .map(|issue| {
            let (msg, kind) = fastapi_words(&issue.rule);
            let loc: Vec<&str> = std::iter::once("body")
                .chain(issue.field.split('.').filter(|part| !part.is_empty()))
                .collect();
            json!({ "loc": loc, "msg": msg, "type": kind })
        })
        .collect();
    json!({ "detail": list })
}

fn fastapi_words(rule: &Rule) -> (String, &'static str) {
    match rule {
        Rule::Missing => ("field required".to_owned(), "value_error.missing"),
        Rule::NotText => ("str type expected".to_owned(), "type_error.str"),
        Rule::NotInteger => (
            "value is not a valid integer".to_owned(),
            "type_error.integer",
        ),
        Rule::NotNumber => ("value is not a valid float".to_owned(), "type_error.float"),
        Rule::NotBoolean => (
            "value could not be parsed to a boolean".to_owned(),
            "type_error.bool",
        ),
        Rule::NotObject => ("value is not a valid dict".to_owned(), "type_error.dict"),
        Rule::NotList => ("value is not a valid list".to_owned(), "type_error.list"),
        Rule::NotUuid => ("value is not a valid uuid".to_owned(), "type_error.uuid"),
        Rule::Length(..) | Rule::NotAPhone(_) | Rule::Other(_) => (rule.text(), "value_error"),
    }
}

/// A body that is no JSON object, as FastAPI reports it.
fn detail_malformed(why: &str) -> Value {
    json!({ "detail": [{ "loc": ["body"], "msg": why, "type": "value_error.jsondecode" }] })
}

/// A number that cannot be called, as one more invalid field.
fn number_issue(field: &str, why: NotAPhone) -> Issue {
    Issue::new(field, Rule::NotAPhone(why.text().to_owned()))
}
