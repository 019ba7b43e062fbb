//! What a call is opened with: everything decided before Twilio hears of it. Stored once, never changed.

use crate::config::{OnMachine, WhenMissing};
use crate::crm::Fetched;
use crate::id::CallId;
use crate::plan::{Attempt, Retry, Schedule};
use crate::secret;
use crate::time::Time;
use crate::voice::{Kind, Limits};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// How long a call that Twilio accepted may wait in Twilio's queue, in seconds. An account begins so many calls a second, one
/// by default; what exceeds that is accepted all the same and dialled in turn, so an hour is 3,600 calls. Twilio itself
/// would keep them for a day.
/// Source: Twilio, "How fast can I place or receive phone calls with Twilio?", and error 22005.
pub const QUEUE_S: u64 = 3_600;

/// A call's record. Whatever later happens to agent or organization, this call goes on as it began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub v: u32,
    pub id: String,
    pub organization: String,
    pub created_at: Time,
    /// The API it was created through, by its word in `dialect`.
    pub dialect: String,
    /// asisso's label: `WR-API-7823`.
    pub run_name: String,
    /// `live`, or `draft` on the test URL.
    pub mode: String,
    pub agent: AgentSaid,
    pub to: String,
    pub from: String,
    pub telephony: TelephonyUsed,
    pub variables: Map<String, Value>,
    /// Names in the agent's texts that nobody gave a value for.
    pub unresolved: Vec<String>,
    pub ring_s: u64,
    pub limits: Limits,
    pub on_machine: OnMachine,
    /// Of the request, if it carried an idempotency key.
    #[serde(default)]
    pub fingerprint: Option<String>,
    /// The person called, in the organization's contacts.
    #[serde(default)]
    pub contact: Option<Contact>,
    /// Where the call's end is reported, beside the organization's webhooks.
    #[serde(default)]
    pub callback_url: Option<String>,
    /// The program's own name for the call.
    #[serde(default)]
    pub external_id: Option<String>,
    /// Given back with the call, never read.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// The zone of the agent, whose clocks results show. Empty: UTC.
    #[serde(default)]
    pub timezone: String,
    /// What the agent's CRM was asked before the call, if it has one.
    #[serde(default)]
    pub fetched: Option<Fetched>,
    /// How long a call that came in waits for what the agent's CRM says, in seconds; 0: there is none to ask.
    #[serde(default)]
    pub crm_s: u64,
    /// The call's number in the organization's list.
    #[serde(default)]
    pub listed: u64,
    /// When it may be dialled; None: it was to be dialled at once.
    #[serde(default)]
    pub schedule: Option<Schedule>,
    /// Whether and when it is tried again.
    #[serde(default)]
    pub retry: Option<Retry>,
    /// None: the first attempt.
    #[serde(default)]
    pub attempt: Option<Attempt>,
    /// What is left on a mailbox, rendered.
    #[serde(default)]
    pub voicemail_message: Option<String>,
    /// The time zone of the person called, where the request says it.
    #[serde(default)]
    pub recipient_timezone: Option<String>,
    /// The agent's own limit of live calls, beside the organization's.
    #[serde(default)]
    pub agent_seats: Option<u32>,
    /// For so many seconds a request for the same is this call, where the agent wants that.
    #[serde(default)]
    pub dedupe_s: Option<u32>,
    /// What was checked before the call was stored, in that order.
    #[serde(default)]
    pub gates: Vec<Gate>,
    /// Whom the agent talks to, and so which way the call went.
    #[serde(default)]
    pub kind: Kind,
    /// What becomes of names in the texts of a dialler's call, which are templates until its first frame is known.
    #[serde(default)]
    pub when_missing: WhenMissing,
}

/// One check a call goes through before it is dialled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// `agent`, `caller`, `active_hours`, …
    pub name: String,
    pub at: Time,
    pub passed: bool,
    /// What the verdict rests on, in words for the caller.
    pub evidence: String,
}

impl Gate {
    pub fn new(name: &str, at: Time, passed: bool, evidence: impl Into<String>) -> Gate {
        Gate {
            name: name.to_owned(),
            at,
            passed,
            evidence: evidence.into(),
        }
    }
}

/// A person in an organization's contacts: one for each number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// A UUID.
    pub id: String,
    pub name: Option<String>,
    /// Whether the organization's contacts are to hold it: it was named to the program.
    #[serde(default)]
    pub entered: bool,
}

impl Contact {
    /// The person at `number`. The id is made of organization and number, so first calls placed at the same time agree
    /// on it without asking anybody. `key` is the deployment's signing key.
    pub fn of(key: &[u8], organization: &str, number: &str) -> Contact {
        let mac = secret::mac(key, format!("contact:{organization}:{number}").as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&mac[..16]);
        Contact {
            id: uuid::Builder::from_custom_bytes(bytes)
                .into_uuid()
                .to_string(),
            name: None,
            entered: false,
        }
    }
}

/// The agent's texts as rendered for this call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentSaid {
    pub id: String,
    pub name: String,
    pub disclosure: Option<String>,
    pub greeting: String,
    pub prompt: String,
    pub agenda: Option<String>,
    pub answers: Vec<String>,
    pub goodbye: String,
    #[serde(default)]
    pub opted_out: String,
    pub keys: BTreeMap<String, String>,
    /// The number a dialler is asked to transfer the call to after the script.
    #[serde(default)]
    pub transfer_to: Option<String>,
}

impl AgentSaid {
    /// Every text the agent may say or is told.
    pub(crate) fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        [
            &mut self.greeting,
            &mut self.prompt,
            &mut self.goodbye,
            &mut self.opted_out,
        ]
        .into_iter()
        .chain(&mut self.disclosure)
        .chain(&mut self.agenda)
        .chain(&mut self.answers)
    }
}

/// The Twilio account this call is placed with; empty for one that is not placed with Twilio. The auth token is the one
/// of that moment: what is configured later for the same account counts before it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TelephonyUsed {
    pub id: i64,
    pub account_sid: String,
    pub sealed_auth_token: String,
    pub api_base_url: String,
}

impl Record {
    /// `outbound`, or `inbound` for a dialler's call.
    pub fn direction(&self) -> &'static str {
        match self.kind {
            Kind::Phone => "outbound",
            Kind::Dialler | Kind::Chat => "inbound",
        }
    }

    /// The number of the person talked to, whoever called whom.
    pub fn contact_number(&self) -> &str {
        match self.kind {
            Kind::Phone => &self.to,
            Kind::Dialler | Kind::Chat => &self.from,
        }
    }

    pub fn call_id(&self) -> Option<CallId> {
        CallId::parse(&self.id)
    }

    /// How long every token of this call is good for: waiting here and at Twilio, ringing, talking, and an hour for late
    /// callbacks.
    pub fn tokens_expire(&self) -> Time {
        let dialled = self.schedule.map_or(self.created_at, |plan| plan.latest_at);
        dialled.plus_s(self.queue_s() + self.ring_s + self.limits.call_s + 3600)
    }

    /// How long a call that is dialled at `now` may hold its seat should nobody free it.
    pub fn seat_until(&self, now: Time) -> Time {
        now.plus_s(self.queue_s() + self.ring_s + self.limits.call_s + 300)
    }

    /// How long Twilio may keep it waiting.
    fn queue_s(&self) -> u64 {
        match self.kind {
            Kind::Phone => QUEUE_S,
            Kind::Dialler | Kind::Chat => 0,
        }
    }
}

/// What a stored credential of an organization's telephony configuration is bound to.
pub fn credential_owner(organization: &str, telephony: i64) -> String {
    format!("telephony:{organization}:{telephony}")
}
