//! What is configured: organizations with their telephony configurations and numbers, API keys, agents.
//! These are the stored forms; each carries its version. Written by import, read by every request.

use crate::analysis::Analysis;
use crate::crm::PreFetch;
use crate::plan::Retry;
use crate::result::Push;
use crate::rules::{self, CallingWindow};
use crate::seats::Limits;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use validation::zone::Zone;

/// The version written into every stored document.
pub const VERSION: u32 = 1;

/// An organization with everything a call of its agents may need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Organization {
    pub v: u32,
    pub id: String,
    pub name: String,
    pub active: bool,
    /// Calls that may be live at once.
    pub seats: u32,
    /// Of these seats, how many are kept for calls that come in.
    #[serde(default)]
    pub inbound_reserve: u32,
    /// Calls that may begin in one second.
    #[serde(default)]
    pub calls_per_second: Option<u32>,
    /// When people may be called, by their own clocks. None: at any hour.
    #[serde(default = "rules::usual_window")]
    pub calling_window: Option<CallingWindow>,
    /// Dial attempts to one number within 24 hours. None: any number.
    #[serde(default = "rules::usual_attempts")]
    pub attempts_per_day: Option<u32>,
    /// ISO codes of the countries that may be called. Empty: its own. None: all.
    #[serde(default = "rules::own_countries")]
    pub allowed_countries: Option<Vec<String>>,
    /// ISO code of the country whose national numbers are accepted.
    pub country: Option<String>,
    /// The telephony configuration used when a request names none.
    pub default_telephony: Option<i64>,
    pub telephony: Vec<Telephony>,
    pub numbers: Vec<Number>,
    /// The tenant it belongs to, whose keys open all of the tenant's organizations.
    #[serde(default)]
    pub tenant: Option<String>,
}

/// One Twilio account of an organization: a telephony configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Telephony {
    pub id: i64,
    pub name: String,
    pub account_sid: String,
    /// The account's primary auth token, encrypted. It dials and it verifies callbacks.
    pub sealed_auth_token: String,
    /// `https://api.twilio.com`, a regional one, or the simulator.
    pub api_base_url: String,
}

/// A number an organization may call from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Number {
    /// A UUID, by which AlloMia's API names it.
    pub id: String,
    pub number: String,
    pub telephony: i64,
}

/// An API key. The key itself is not stored; its SHA-256 is the name it is stored under.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Key {
    pub v: u32,
    #[serde(flatten)]
    pub opens: Opens,
    pub name: String,
    /// `Rest APIs` or `Console`.
    pub category: String,
    pub permissions: Vec<Permission>,
    pub active: bool,
    pub expires_at: Option<Time>,
}

/// What a key opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Opens {
    Organization(String),
    /// All organizations of a tenant; which one is meant, the agent or the call of a request says.
    Tenant(String),
}

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Permission {
    #[serde(rename = "calls:create")]
    CreateCalls,
    #[serde(rename = "calls:read")]
    ReadCalls,
    /// Webhooks, their secrets, and sending reports again: who may redirect everything that is reported.
    #[serde(rename = "webhooks:manage")]
    ManageWebhooks,
}

/// The category voicing's keys must have.
pub const REST_APIS: &str = "Rest APIs";

/// Who talks. Known by up to five names, one for each API that names agents in its own way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    pub v: u32,
    pub id: String,
    /// None: an agent nobody linked to an organization, which only voicing's API can tell apart.
    pub organization: Option<String>,
    /// The user it belongs to; None likewise.
    pub owner: Option<String>,
    pub name: String,
    pub active: bool,
    #[serde(default)]
    pub names: Names,
    pub published: Option<Script>,
    pub draft: Option<Script>,
    pub active_hours: Option<ActiveHours>,
    /// IANA name of the zone whose clocks its texts and results show; of its active hours, or UTC, if it names none.
    #[serde(default)]
    pub timezone: Option<String>,
    #[serde(default)]
    pub pre_fetch: Option<PreFetch>,
    /// Calls of this agent that may be live at once.
    #[serde(default)]
    pub seats: Option<u32>,
    /// In place of the organization's.
    #[serde(default)]
    pub calling_window: Option<CallingWindow>,
    /// The variable that holds the time zone of the person called.
    #[serde(default)]
    pub timezone_variable: Option<String>,
    /// For so many seconds, the same agent, number and variables are the same call.
    #[serde(default)]
    pub dedupe_s: Option<u32>,
    #[serde(default)]
    pub post_call_analysis: Option<Analysis>,
    #[serde(default)]
    pub post_call_push: Option<Push>,
}

/// The ids by which the dialects call an agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Names {
    /// asisso's trigger UUID.
    pub trigger: Option<String>,
    /// dialout's bot id.
    pub bot: Option<String>,
    /// burki's integer.
    pub integer: Option<i64>,
    /// AlloMia's and voicing's assistant UUID.
    pub assistant: Option<String>,
}

/// One version of what an agent says and how it behaves. Texts are templates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// First words after the answer.
    pub greeting: String,
    #[serde(default)]
    pub prompt: String,
    #[serde(default)]
    pub agenda: Option<String>,
    /// Spoken before the greeting, word for word.
    #[serde(default)]
    pub disclosure: Option<String>,
    /// The offline engine's answers, one per turn of the contact.
    #[serde(default)]
    pub answers: Vec<String>,
    #[serde(default = "goodbye")]
    pub goodbye: String,
    /// The last words to somebody who opted out.
    #[serde(default = "opted_out")]
    pub opted_out: String,
    /// What a DTMF key does: a text to say, `hangup`, or `opt_out`.
    #[serde(default)]
    pub keys: BTreeMap<String, String>,
    /// Where a dialler is asked to transfer its call after the last answer, instead of hanging up.
    #[serde(default)]
    pub transfer_to: Option<String>,
    /// How long the phone may ring.
    #[serde(default = "ring_s")]
    pub ring_s: u64,
    /// Longest call.
    #[serde(default = "call_s")]
    pub call_s: u64,
    /// Longest silence of both sides.
    #[serde(default = "silence_s")]
    pub silence_s: u64,
    #[serde(default)]
    pub when_missing: WhenMissing,
    #[serde(default)]
    pub on_machine: OnMachine,
    /// What is left on a mailbox with `leave_message`.
    #[serde(default)]
    pub voicemail_message: Option<String>,
    /// When a call that reached nobody is tried again, unless the request says otherwise.
    #[serde(default)]
    pub retry: Option<Retry>,
}

fn opted_out() -> String {
    "You will not be called again. Goodbye.".to_owned()
}

fn goodbye() -> String {
    "Goodbye.".to_owned()
}

fn ring_s() -> u64 {
    25
}

fn call_s() -> u64 {
    600
}

fn silence_s() -> u64 {
    15
}

/// What becomes of a template's name that the request gives no value for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenMissing {
    /// As the dialect's document has it: dialout keeps the braces, the others leave it empty.
    #[default]
    AsDialect,
    Empty,
    Literal,
    /// The request is refused.
    Refuse,
}

/// What the agent does when a machine answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMachine {
    /// Detect it and hang up.
    #[default]
    HangUp,
    /// Detect it and go on talking.
    Continue,
    /// Do not detect.
    Ignore,
    /// Detect it, wait for the tone, leave `voicemail_message` and hang up.
    LeaveMessage,
}

/// When an agent may call, in its own time zone; a request outside is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActiveHours {
    /// IANA name.
    pub timezone: String,
    /// `mon` … `sun`; empty means every day.
    #[serde(default)]
    pub days: Vec<String>,
    /// `HH:MM`.
    pub start: String,
    /// `HH:MM`, exclusive; equal to `start` means closed all day; earlier than `start` means the next morning.
    pub end: String,
}

impl Organization {
    /// What a call may count on, with its agent's own limit.
    pub fn limits(&self, agent: Option<u32>) -> Limits {
        Limits {
            seats: self.seats,
            reserve: self.inbound_reserve,
            agent,
            per_second: self.calls_per_second,
        }
    }

    pub fn telephony(&self, id: i64) -> Option<&Telephony> {
        self.telephony.iter().find(|telephony| telephony.id == id)
    }
}

impl Names {
    /// Whether this is a name of the workflow that asisso's API takes the agent for.
    pub fn names_workflow(&self, workflow: &str) -> bool {
        let trigger = self.trigger.as_deref();
        trigger.is_some_and(|trigger| trigger.eq_ignore_ascii_case(workflow))
            || self
                .integer
                .is_some_and(|integer| integer.to_string() == workflow)
    }
}

impl Key {
    pub fn usable(&self, now: Time) -> bool {
        self.active && self.expires_at.is_none_or(|expiry| now < expiry)
    }

    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }
}

impl Agent {
    /// The zone whose clocks its texts and results show.
    pub fn zone(&self) -> Zone {
        let named = self.timezone.as_deref();
        let hours = self.active_hours.as_ref();
        let name = named.or(hours.map(|hours| hours.timezone.as_str()));
        // What an import stored is a zone, and UTC is one.
        name.and_then(Zone::parse).unwrap_or(Zone::UTC)
    }

    /// What a call speaks: the published version, or on asisso's test URL the draft, or the published one if there is no draft.
    pub fn script(&self, draft: bool) -> Option<&Script> {
        match (draft, &self.draft) {
            (true, Some(script)) => Some(script),
            _ => self.published.as_ref(),
        }
    }
}
