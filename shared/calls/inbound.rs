//! What a dialler's first frame tells of a call that came in: who calls whom, and the variables of the agent's texts.
//! The voice makes the texts from it, and the record learns it from the voice's report.

use crate::config::{OnMachine, VERSION, WhenMissing};
use crate::crm::Fetched;
use crate::dialect::Dialect as _;
use crate::dialect::dialout::Dialout;
use crate::known::{self, Known};
use crate::record::{AgentSaid, Record, TelephonyUsed};
use crate::time::Time;
use crate::voice::{Kind, Limits};
use serde_json::{Map, Value, json};
use validation::template::LARGEST;
use validation::variables::show;
use validation::zone::Zone;
use validation::{Variables, render};

/// How long a voice waits for the socket it was started for, in seconds.
const CONNECT_S: u64 = 15;

/// Fields of the frame with a meaning of their own; all of them are variables as well.
pub const CALLER: &str = "callerId";
pub const DID: &str = "did";
pub const DIRECTION: &str = "callDirection";
pub const STREAM: &str = "streamId";

/// The `call.*` variables: all fields but `event`, as dialout's document has it with values as text.
pub fn variables(mut frame: Map<String, Value>) -> Map<String, Value> {
    frame.shift_remove("event");
    let stringified =
        |(name, value): (String, Value)| (name, json!(show(&value).unwrap_or_default()));
    frame.into_iter().map(stringified).collect()
}

/// A variable's text; empty if it is not there.
pub fn text(variables: &Map<String, Value>, name: &str) -> String {
    variables
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// What a dialler's call knows at `at`: its variables, what the agent's CRM says, and the clocks of the agent's zone.
pub fn known(given: &Map<String, Value>, crm: &Map<String, Value>, zone: &str, at: Time) -> Known {
    Known {
        crm: Variables(crm.clone()),
        call: Variables(given.clone()),
        system: known::system(Zone::parse(zone).unwrap_or(Zone::UTC), at),
        ..Known::default()
    }
}

/// What filling in the agent's texts came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    /// The names nobody gave a value for.
    pub missing: Vec<String>,
    /// All texts together became longer than [`LARGEST`], and end somewhere behind that.
    pub too_long: bool,
}

/// Fills in the agent's texts.
pub fn fill<'a>(
    texts: impl IntoIterator<Item = &'a mut String>,
    known: &Known,
    when_missing: WhenMissing,
) -> Filled {
    let shown = match when_missing {
        WhenMissing::AsDialect => Dialout.when_missing(),
        WhenMissing::Literal => validation::WhenMissing::Literal,
        WhenMissing::Empty | WhenMissing::Refuse => validation::WhenMissing::Empty,
    };
    let (mut all, mut bytes) = (Filled::default(), 0);
    for text in texts {
        let filled = render(text, |path| Dialout.value_of(known, path), shown);
        bytes += filled.text.len();
        *text = filled.text;
        for name in filled.missing {
            if !all.missing.contains(&name) {
                all.missing.push(name);
            }
        }
        if bytes > LARGEST {
            all.too_long = true;
            break;
        }
    }
    all
}

/// Whether the agent insists on what is missing.
pub fn refuses(when_missing: WhenMissing, missing: &[String]) -> bool {
    when_missing == WhenMissing::Refuse && !missing.is_empty()
}

impl Record {
    /// The record of a call that was not dialled, before anything but its kind is known.
    pub fn arriving(kind: Kind, dialect: &str, organization: &str, now: Time) -> Record {
        Record {
            v: VERSION,
            id: String::new(),
            organization: organization.to_owned(),
            created_at: now,
            dialect: dialect.to_owned(),
            run_name: String::new(),
            mode: "live".to_owned(),
            agent: AgentSaid::default(),
            to: String::new(),
            from: String::new(),
            telephony: TelephonyUsed::default(),
            variables: Map::new(),
            unresolved: Vec::new(),
            ring_s: 0,
            limits: Limits {
                call_s: 0,
                silence_s: 0,
                connect_s: CONNECT_S,
            },
            on_machine: OnMachine::Ignore,
            fingerprint: None,
            contact: None,
            callback_url: None,
            external_id: None,
            metadata: Map::new(),
            timezone: String::new(),
            fetched: None,
            crm_s: 0,
            listed: 0,
            schedule: None,
            retry: None,
            attempt: None,
            voicemail_message: None,
            recipient_timezone: None,
            agent_seats: None,
            dedupe_s: None,
            gates: Vec::new(),
            kind,
            when_missing: WhenMissing::AsDialect,
        }
    }

    /// The record as it reads once the dialler's first frame is known, which came at `at`, and what the CRM says.
    pub fn learn(&mut self, variables: &Map<String, Value>, at: Time, fetched: Option<&Fetched>) {
        self.from = text(variables, CALLER);
        self.to = text(variables, DID);
        self.fetched = fetched.cloned();
        let crm = fetched.map(|fetched| fetched.values.clone());
        let known = known(variables, &crm.unwrap_or_default(), &self.timezone, at);
        let mut said = self.agent.clone();
        let filled = fill(said.texts(), &known, self.when_missing);
        // The voice says nothing of texts that are too long.
        if !filled.too_long {
            self.agent = said;
        }
        self.unresolved = filled.missing;
        self.variables = variables.clone();
    }
}
