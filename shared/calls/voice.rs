//! The hand-off of audio: what the gateway, the launcher and the voice container say to each other.
//! Both sides import this file.
//!
//! ```text
//! gateway ──POST /v1/sessions──▶ launcher ──starts──▶ container       (Spin, or Workers with LAUNCHER_URL)
//! gateway ──starts───────────────────────────────────▶ container       (Workers: the call's Durable Object)
//!         ──POST /calls (StartOrder)─────────────────▶ container :8080
//! Twilio  ──WebSocket /media/{token}──▶ launcher or Durable Object ──GET /calls/{id}/stream──▶ container
//! dialler ──WebSocket /ws/{bot_id}────▶ the same way; so do chats
//! container ──POST report.url (Report)──▶ gateway, until it answers 2xx
//! gateway ──DELETE /calls/{id}──▶ container, which ends once its reports are taken
//! ```
//!
//! One container, one call: a second `POST /calls` for the same call answers 200, for another 409.

use crate::config::WhenMissing;
use crate::secret;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The port the voice container listens on.
pub const PORT: u16 = 8080;

/// Header that carries [`sign_launcher`]'s or [`Report::sign`]'s signature.
pub const SIGNATURE_HEADER: &str = "x-ringdown-signature";

/// Header that carries the unix seconds a launcher message was signed at.
pub const TIMESTAMP_HEADER: &str = "x-ringdown-timestamp";

/// How far a signed launcher message's timestamp may be from now, in seconds.
pub const TOLERANCE_S: u64 = 300;

/// The form of start orders: 2. In form 1 there is no `kind`, and all are of calls by phone.
pub const ORDER_VERSION: u32 = 2;

/// How long a voice repeats its reports after the last event, in seconds.
pub const REPORTING_S: u64 = 60;

/// How long a voice that was told to end may go on, in seconds: its reports may be refused all that time, and the last
/// attempt may wait for its answer. What it has yet to tell may be that the person called opted out.
pub const ENDING_S: u64 = REPORTING_S + 30;

/// Whom a voice talks to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Somebody Twilio called: its Media Streams messages, µ-law.
    #[default]
    Phone,
    /// Somebody a dialler brings in: its frames, linear PCM. The texts are templates until its first frame is read.
    Dialler,
    /// Somebody who types: no audio, and no call.
    Chat,
}

/// Body of `POST /calls`: everything the container needs for one call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartOrder {
    /// Form of this message: 1 or [`ORDER_VERSION`].
    pub version: u32,
    #[serde(default)]
    pub kind: Kind,
    /// The call's id (a UUID).
    pub call: String,
    /// Who talks: `offline` speaks the script with a built-in voice and needs no key.
    pub engine: String,
    /// The fixed line spoken before the greeting, by code and not by a model.
    pub disclosure: Option<String>,
    /// First words after the answer, rendered.
    pub greeting: String,
    /// What the agent is told to be, rendered.
    pub prompt: String,
    /// What this one call is about, rendered.
    pub agenda: Option<String>,
    /// The offline engine's answers, one per turn of the caller; after the last it says `goodbye`.
    pub script: Vec<String>,
    /// Last words before the agent hangs up.
    pub goodbye: String,
    /// Last words to somebody who opted out, once they count.
    #[serde(default)]
    pub opted_out: String,
    /// What the agent says when a DTMF key is pressed, by key (`"1"`, `"#"`); `hangup` as text ends the call, and
    /// `opt_out` puts the person called on the suppression list before it does.
    pub keys: std::collections::BTreeMap<String, String>,
    /// The number a dialler is asked to transfer the call to after the script, instead of hanging up.
    #[serde(default)]
    pub transfer_to: Option<String>,
    /// What becomes of names in a dialler's texts that its first frame does not give.
    #[serde(default)]
    pub when_missing: WhenMissing,
    /// The zone whose clocks a dialler's texts may show, by its IANA name. Empty: UTC.
    #[serde(default)]
    pub timezone: String,
    /// How long a dialler's call waits for what the agent's CRM says ([`Answer`]), in seconds; 0: it is not asked.
    #[serde(default)]
    pub crm_s: u64,
    pub limits: Limits,
    pub report: ReportTo,
}

impl StartOrder {
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
        .chain(&mut self.script)
    }
}

/// When the container ends a call by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Longest call, in seconds from the first media.
    pub call_s: u64,
    /// Longest silence of both sides, in seconds.
    pub silence_s: u64,
    /// How long an idle container waits for its media socket before it gives up, in seconds.
    pub connect_s: u64,
}

/// Where the container reports, and the key it signs with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportTo {
    pub url: String,
    pub key: String,
}

impl std::fmt::Debug for ReportTo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReportTo(…)")
    }
}

/// Body of a report: what happened since the last one that was acknowledged. Sending one twice changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub version: u32,
    pub call: String,
    pub events: Vec<VoiceEvent>,
}

/// What the gateway may answer a report with: of [`VoiceEvent::Connected`], what the agent's CRM says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    #[serde(default)]
    pub crm: Option<Map<String, Value>>,
}

/// One fact the voice container (or, for [`VoiceEvent::Lost`], whoever watches it) knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum VoiceEvent {
    /// The container has the order and waits for media.
    Ready { at: Time },
    /// A dialler's first frame arrived; its fields are the call's variables.
    Connected {
        at: Time,
        variables: Map<String, Value>,
    },
    /// The conversation may begin: Twilio's `start` arrived (or a dialler's `answer`: `call_sid` is its stream's id).
    MediaStarted { at: Time, call_sid: String },
    /// The first agent audio was sent.
    FirstAudio { at: Time },
    /// A finished line of either side. `index` counts from 0 over both sides.
    Line { index: u32, line: Line },
    /// The conversation is over, in order. The whole transcript comes along.
    Ended {
        at: Time,
        by: EndedBy,
        reason: String,
        transcript: Vec<Line>,
    },
    /// The person called does not want to be called again. What the agent confirms has then been done: the container
    /// waits for the gateway's answer to the report that says so.
    OptedOut { at: Time, by: OptOut },
    /// The container stopped, or its media socket broke, without an orderly end.
    Lost { at: Time, cause: String },
}

/// How the person called said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptOut {
    /// By a key of the phone.
    Key,
    /// In words that the agent understood: its tool reports it.
    Agent,
}

/// Something one side said, or did: `[dtmf 1]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub speaker: Speaker,
    pub text: String,
    /// When the line began.
    pub at: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    Agent,
    Contact,
}

/// Who ended the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The agent said goodbye.
    Agent,
    /// The person called hung up.
    Contact,
    /// The longest call or the longest silence was reached.
    Timeout,
    /// The gateway told the container to stop.
    Gateway,
    /// Something broke.
    Error,
}

/// Body of `POST /v1/sessions` to the launcher. Answered 201 with [`Session`], also when repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartSession {
    pub order: StartOrder,
}

/// The launcher's answer: the container is being started; media for the call may come at `media_url`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    pub call: String,
}

/// Signature over a report's exact bytes, with the order's report key.
pub fn sign_report(key: &str, body: &[u8]) -> String {
    secret::sign(key.as_bytes(), body)
}

/// Signature of a message between gateway and launcher (either way):
/// over `{timestamp}.{method}.{path}.` and the body's bytes.
pub fn sign_launcher(key: &str, timestamp: u64, method: &str, path: &str, body: &[u8]) -> String {
    secret::sign(
        key.as_bytes(),
        &launcher_message(timestamp, method, path, body),
    )
}

/// Whether a launcher message was signed with `key` no longer than [`TOLERANCE_S`] from `now`.
pub fn launcher_signed(
    key: &str,
    now: Time,
    timestamp: &str,
    signature: &str,
    (method, path, body): (&str, &str, &[u8]),
) -> bool {
    let Ok(at) = timestamp.parse::<u64>() else {
        return false;
    };
    now.unix_s().abs_diff(at) <= TOLERANCE_S
        && secret::signed(
            key.as_bytes(),
            &launcher_message(at, method, path, body),
            signature,
        )
}

fn launcher_message(timestamp: u64, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let mut message = format!("{timestamp}.{method}.{path}.").into_bytes();
    message.extend_from_slice(body);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launcher_messages_expire() {
        let at = Time(1_700_000_000_000);
        let message = ("POST", "/v1/sessions", b"{}".as_slice());
        let signature = sign_launcher("key", at.unix_s(), message.0, message.1, message.2);
        let stamp = at.unix_s().to_string();
        assert!(launcher_signed("key", at, &stamp, &signature, message));
        assert!(launcher_signed(
            "key",
            at.plus_s(300),
            &stamp,
            &signature,
            message
        ));
        assert!(!launcher_signed(
            "key",
            at.plus_s(301),
            &stamp,
            &signature,
            message
        ));
        assert!(!launcher_signed(
            "key",
            at,
            &stamp,
            &signature,
            ("DELETE", message.1, message.2)
        ));
        assert!(!launcher_signed("other", at, &stamp, &signature, message));
    }
}
