//! Events: one fact about a call each, stored once under its own name, folded on read.

mod status;

use crate::crm::Fetched;
use crate::seats::Full;
use crate::time::Time;
use crate::voice::{EndedBy, Line, VoiceEvent};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
pub use status::{Outcome, Status, Told};

/// Names of all events but the numbered `line-0`, `line-1`, …: what a host without listing reads one by one.
pub const NAMES: &[&str] = &[
    "dialled",
    "dial-refused",
    "dial-unknown",
    "no-seat",
    "postponed",
    "gate-closed",
    "cancel-asked",
    "fired",
    "twiml-fetched",
    "provider-queued",
    "provider-initiated",
    "provider-ringing",
    "provider-in-progress",
    "provider-completed",
    "provider-busy",
    "provider-failed",
    "provider-no-answer",
    "provider-canceled",
    "polled-queued",
    "polled-initiated",
    "polled-ringing",
    "polled-in-progress",
    "polled-completed",
    "polled-busy",
    "polled-failed",
    "polled-no-answer",
    "polled-canceled",
    "answered-by",
    "answered-by-unknown",
    "message-started",
    "message-left",
    "recording",
    "arrived",
    "audio-started",
    "audio-failed",
    "voice-ready",
    "voice-connected",
    "crm-asked",
    "voice-media-started",
    "voice-first-audio",
    "voice-opted-out",
    "voice-ended",
    "voice-lost",
    "hangup-asked",
    "lost",
    "ended",
    "next-attempt",
    "chain-ended",
    "analysis",
    "analysis-failed",
];

/// Twilio's word for not being able to tell what answered. It never stands in the way of one who can.
pub const UNKNOWN: &str = "unknown";

/// Twilio's word for a fax: a machine, but no mailbox.
pub const FAX: &str = "fax";

/// Whether Twilio's word for what answered says that a mailbox has had its say and listens.
pub fn mailbox_listens(answered_by: &str) -> bool {
    answered_by.starts_with("machine_end")
}

/// One fact about a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Event {
    /// Twilio accepted the call and named it.
    Dialled { at: Time, sid: String },
    /// Twilio refused the call; nothing rang.
    DialRefused {
        at: Time,
        status: u16,
        code: Option<u32>,
    },
    /// Twilio may or may not have placed the call.
    DialUnknown { at: Time, cause: String },
    /// A limit left the call without a seat; nothing was dialled.
    NoSeat { at: Time, full: Full },
    /// A call whose time had come was put off; the first time it was, and why.
    Postponed { at: Time, until: Time, why: String },
    /// A call whose time had come may not be dialled any more; nothing was.
    GateClosed { at: Time, reason: String },
    /// Somebody wants a call that waits, or the attempts after this one, not to be dialled.
    CancelAsked { at: Time },
    /// A waiting call's time had come: the dial began.
    Fired { at: Time },
    /// Twilio asked what to do with the answered call.
    TwimlFetched { at: Time, sid: String },
    /// Twilio said how the call stands, by callback or because it was asked.
    Provider {
        at: Time,
        told: Told,
        status: Status,
        sid: String,
        /// When Twilio says it happened.
        happened: Option<Time>,
        duration_s: Option<u64>,
        sip: Option<u16>,
        error: Option<u32>,
    },
    /// What answered: `human`, `machine_start`, `fax`, `unknown`.
    AnsweredBy { at: Time, answered_by: String },
    /// Twilio speaks the message to the mailbox.
    MessageStarted { at: Time },
    /// Twilio has spoken it to its end.
    MessageLeft { at: Time },
    Recording {
        at: Time,
        url: String,
        duration_s: Option<u64>,
    },
    /// A dialler or a chat asked for the call: nothing is dialled, and Twilio never hears of it.
    Arrived { at: Time },
    /// The agent's CRM was asked about a call that came in.
    CrmAsked { at: Time, fetched: Fetched },
    /// A voice container is being started.
    AudioStarted { at: Time },
    /// No voice container could be started.
    AudioFailed { at: Time, cause: String },
    /// The voice container said something.
    Voice(VoiceEvent),
    /// Somebody asked for the call to be ended.
    HangupAsked { at: Time, by: EndedBy },
    /// Nobody could say what became of the call.
    Lost { at: Time, evidence: String },
    /// The verdict: the call is over and this is how. Written once; nothing changes it.
    Ended {
        at: Time,
        outcome: Outcome,
        reason: String,
        by: Option<EndedBy>,
    },
    /// The call is tried again: this is the next attempt, and when it is due.
    NextAttempt { at: Time, call: String, due: Time },
    /// The call would be tried again, but may not be.
    ChainEnded { at: Time, reason: String },
    /// The model's answers to the agent's questions. It only adds to an ended call.
    Analysis {
        at: Time,
        result: Map<String, Value>,
        /// Whether the call's end was reported without it.
        late: bool,
    },
    /// There will be no analysis.
    AnalysisFailed { at: Time, cause: String },
}

impl Event {
    /// The name it is stored under.
    pub fn name(&self) -> String {
        let name = match self {
            Event::Dialled { .. } => "dialled",
            Event::DialRefused { .. } => "dial-refused",
            Event::DialUnknown { .. } => "dial-unknown",
            Event::NoSeat { .. } => "no-seat",
            Event::Postponed { .. } => "postponed",
            Event::GateClosed { .. } => "gate-closed",
            Event::CancelAsked { .. } => "cancel-asked",
            Event::Fired { .. } => "fired",
            Event::TwimlFetched { .. } => "twiml-fetched",
            Event::Provider { told, status, .. } => {
                let told = match told {
                    Told::Callback => "provider",
                    Told::Poll => "polled",
                };
                return format!("{told}-{}", status.word());
            }
            Event::AnsweredBy { answered_by, .. } if answered_by == UNKNOWN => {
                "answered-by-unknown"
            }
            Event::AnsweredBy { .. } => "answered-by",
            Event::MessageStarted { .. } => "message-started",
            Event::MessageLeft { .. } => "message-left",
            Event::Recording { .. } => "recording",
            Event::Arrived { .. } => "arrived",
            Event::CrmAsked { .. } => "crm-asked",
            Event::AudioStarted { .. } => "audio-started",
            Event::AudioFailed { .. } => "audio-failed",
            Event::Voice(VoiceEvent::Ready { .. }) => "voice-ready",
            Event::Voice(VoiceEvent::Connected { .. }) => "voice-connected",
            Event::Voice(VoiceEvent::MediaStarted { .. }) => "voice-media-started",
            Event::Voice(VoiceEvent::FirstAudio { .. }) => "voice-first-audio",
            Event::Voice(VoiceEvent::Line { index, .. }) => return format!("line-{index}"),
            Event::Voice(VoiceEvent::OptedOut { .. }) => "voice-opted-out",
            Event::Voice(VoiceEvent::Ended { .. }) => "voice-ended",
            Event::Voice(VoiceEvent::Lost { .. }) => "voice-lost",
            Event::HangupAsked { .. } => "hangup-asked",
            Event::Lost { .. } => "lost",
            Event::Ended { .. } => "ended",
            Event::NextAttempt { .. } => "next-attempt",
            Event::ChainEnded { .. } => "chain-ended",
            Event::Analysis { .. } => "analysis",
            Event::AnalysisFailed { .. } => "analysis-failed",
        };
        name.to_owned()
    }

    /// When we learned of it (for what the voice container says: when it happened).
    pub fn at(&self) -> Time {
        match self {
            Event::Dialled { at, .. }
            | Event::DialRefused { at, .. }
            | Event::DialUnknown { at, .. }
            | Event::NoSeat { at, .. }
            | Event::Postponed { at, .. }
            | Event::GateClosed { at, .. }
            | Event::CancelAsked { at }
            | Event::Fired { at }
            | Event::MessageStarted { at }
            | Event::MessageLeft { at }
            | Event::NextAttempt { at, .. }
            | Event::ChainEnded { at, .. }
            | Event::TwimlFetched { at, .. }
            | Event::Provider { at, .. }
            | Event::AnsweredBy { at, .. }
            | Event::Recording { at, .. }
            | Event::Arrived { at }
            | Event::CrmAsked { at, .. }
            | Event::AudioStarted { at }
            | Event::AudioFailed { at, .. }
            | Event::HangupAsked { at, .. }
            | Event::Lost { at, .. }
            | Event::Ended { at, .. }
            | Event::Analysis { at, .. }
            | Event::AnalysisFailed { at, .. } => *at,
            Event::Voice(said) => match said {
                VoiceEvent::Ready { at }
                | VoiceEvent::Connected { at, .. }
                | VoiceEvent::MediaStarted { at, .. }
                | VoiceEvent::FirstAudio { at }
                | VoiceEvent::OptedOut { at, .. }
                | VoiceEvent::Ended { at, .. }
                | VoiceEvent::Lost { at, .. } => *at,
                VoiceEvent::Line {
                    line: Line { at, .. },
                    ..
                } => *at,
            },
        }
    }

    /// Who told us: `gateway`, `provider`, `voice`.
    pub fn source(&self) -> &'static str {
        match self {
            Event::Dialled { .. }
            | Event::DialRefused { .. }
            | Event::TwimlFetched { .. }
            | Event::Provider { .. }
            | Event::AnsweredBy { .. }
            | Event::MessageStarted { .. }
            | Event::MessageLeft { .. }
            | Event::Recording { .. } => "provider",
            Event::Voice(_) => "voice",
            Event::DialUnknown { .. }
            | Event::NoSeat { .. }
            | Event::Postponed { .. }
            | Event::GateClosed { .. }
            | Event::CancelAsked { .. }
            | Event::Fired { .. }
            | Event::NextAttempt { .. }
            | Event::ChainEnded { .. }
            | Event::Arrived { .. }
            | Event::CrmAsked { .. }
            | Event::AudioStarted { .. }
            | Event::AudioFailed { .. }
            | Event::HangupAsked { .. }
            | Event::Lost { .. }
            | Event::Ended { .. }
            | Event::Analysis { .. }
            | Event::AnalysisFailed { .. } => "gateway",
        }
    }

    /// Name and text, as stored.
    pub fn stored(&self) -> (String, String) {
        let text = serde_json::to_string(&Stored {
            v: 1,
            event: self.clone(),
        })
        .expect("an event has no map with keys that are not text");
        (self.name(), text)
    }

    /// Reads what [`Event::stored`] wrote; None for a form this version does not know.
    pub fn read(text: &str) -> Option<Event> {
        let stored: Stored = serde_json::from_str(text).ok()?;
        (stored.v == 1).then_some(stored.event)
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    v: u32,
    #[serde(rename = "e")]
    event: Event,
}

#[cfg(test)]
mod tests;
