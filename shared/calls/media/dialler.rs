//! A dialler's call: `connected`, `start` and `answer` in this order, then its `media`, answered by `reverse-media`.
//! Source: the WebSocket part of dialout's document and of its upstream, the iCallMate protocol.

mod frame;

use super::framing::Framing;
use super::{Due, Session, after, g711};
use crate::inbound;
use crate::socket::{Close, Unusable};
use crate::time::Time;
use crate::voice::{EndedBy, VoiceEvent};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use frame::{Frame, MediaFormat};
use serde_json::{Map, Value, json};

/// How long the first frame may take, and the last of the handshake after it.
const CONNECTED_MS: u64 = 10_000;
const ANSWER_MS: u64 = 60_000;
/// How long the whole handshake may take, in seconds: what ringing is to a call by phone.
pub const HANDSHAKE_S: u64 = (CONNECTED_MS + ANSWER_MS) / 1000;
/// One frame of audio: 20 ms of µ-law.
const FRAME_MS: u64 = 20;
const FRAME: usize = 160;

/// Where the handshake stands, and what the dialler said of its call.
#[derive(Debug, Default)]
pub(super) struct Dialler {
    /// When the socket was opened.
    opened: Option<Time>,
    stage: Stage,
    /// When the first frame came.
    connected: Option<Time>,
    variables: Map<String, Value>,
    /// While the CRM's answer is waited for: until when.
    crm_until: Option<Time>,
    caller: String,
    did: String,
    direction: String,
    stream: String,
    chunk: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Opened,
    Connected,
    Started,
    Answered,
}

/// A dialler that does not keep to the protocol: the word for the verdict, and how the socket is closed.
struct Breach(&'static str, Close);

const NOT_JSON: Breach = breach("frame_unreadable", 1007, "frames are JSON objects");
const NOT_AUDIO: Breach = breach(
    "audio_unreadable",
    1007,
    "payload is base64 of whole 16-bit samples",
);
const OUT_OF_ORDER: Breach = breach(
    "frames_out_of_order",
    1002,
    "connected, start and answer come in this order, once each",
);
const FORMAT: Breach = breach(
    "media_format_unknown",
    1003,
    "mediaFormat must be LINEAR, 8000 Hz, 1 channel",
);
const LATE: Breach = breach("no_connected_frame", 1008, "no connected frame within 10 s");
const UNANSWERED: Breach = breach("no_answer_frame", 1008, "no answer frame within 60 s");
const TOO_LONG: Breach = breach(
    "texts_too_long",
    1008,
    "the variables make the agent's texts longer than 256 KB",
);
const VARIABLES: Breach = breach(
    "variables_missing",
    1008,
    "the agent insists on variables that are missing",
);

const fn breach(word: &'static str, code: u16, reason: &'static str) -> Breach {
    Breach(word, Close { code, reason })
}

impl Session {
    pub(super) fn dialler_opened(&mut self, now: Time) {
        if let Framing::Dialler(dialler) = &mut self.framing {
            dialler.opened.get_or_insert(now);
        }
    }

    pub(super) fn dialler_says(&mut self, text: &str, now: Time) {
        let Framing::Dialler(dialler) = &mut self.framing else {
            return;
        };
        let Some(frame) = frame::read(text) else {
            return self.breach(NOT_JSON, now);
        };
        match (dialler.stage, frame) {
            (_, Frame::HangUp) => self.contact_hung_up(now),
            (_, Frame::Other) => {}
            (Stage::Opened, Frame::Connected(fields)) => self.dialler_connected(fields, now),
            (Stage::Connected, Frame::Start { stream, format }) => {
                dialler.start(stream);
                if !format.as_ref().is_none_or(MediaFormat::is_linear) {
                    self.breach(FORMAT, now);
                }
            }
            (Stage::Started, Frame::Answer) => {
                dialler.stage = Stage::Answered;
                let stream = dialler.stream.clone();
                self.begin(stream, now);
            }
            // A dialler may send the ringing line's audio, too.
            (Stage::Connected | Stage::Started, Frame::Media(_)) => {}
            (Stage::Answered, Frame::Media(payload)) => match STANDARD.decode(payload) {
                Ok(pcm) if pcm.len() % 2 == 0 => self.hear(g711::from_linear(&pcm), now),
                Ok(_) | Err(_) => self.breach(NOT_AUDIO, now),
            },
            (
                Stage::Opened | Stage::Connected | Stage::Started | Stage::Answered,
                Frame::Connected(_) | Frame::Start { .. } | Frame::Answer | Frame::Media(_),
            ) => self.breach(OUT_OF_ORDER, now),
        }
    }

    /// The agent's texts are made with what the first frame says.
    fn dialler_connected(&mut self, fields: Map<String, Value>, now: Time) {
        let variables = inbound::variables(fields);
        let crm_s = self.order.crm_s;
        if let Framing::Dialler(dialler) = &mut self.framing {
            dialler.connect(&variables, now);
            dialler.crm_until = (crm_s > 0).then(|| now.plus_s(crm_s));
            dialler.variables.clone_from(&variables);
        }
        self.report(VoiceEvent::Connected { at: now, variables });
        if crm_s == 0 {
            self.make_texts(&Map::new(), now);
        }
    }

    /// The CRM has answered, or is not waited for any more.
    pub(super) fn dialler_known(&mut self, crm: &Map<String, Value>, now: Time) {
        if let Framing::Dialler(dialler) = &mut self.framing
            && dialler.crm_until.take().is_some()
        {
            self.make_texts(crm, now);
        }
    }

    fn make_texts(&mut self, crm: &Map<String, Value>, now: Time) {
        let Framing::Dialler(dialler) = &self.framing else {
            return;
        };
        let at = dialler.connected.unwrap_or(now);
        let known = inbound::known(&dialler.variables, crm, &self.order.timezone, at);
        let when_missing = self.order.when_missing;
        let filled = inbound::fill(self.order.texts(), &known, when_missing);
        if filled.too_long {
            return self.breach(TOO_LONG, now);
        }
        if inbound::refuses(when_missing, &filled.missing) {
            return self.breach(VARIABLES, now);
        }
        self.prepare();
        self.quiet_since = now;
        self.speak(now);
    }

    /// Ends a call whose dialler does not keep to the protocol.
    fn breach(&mut self, Breach(word, close): Breach, now: Time) {
        self.hush(now);
        self.end_with((EndedBy::Error, word), close.reason, close, now);
    }

    pub(super) fn dialler_unusable(&mut self, what: Unusable, now: Time) {
        let word = match what {
            Unusable::Binary => "frame_binary",
            Unusable::TooLarge => "frame_too_large",
        };
        self.breach(Breach(word, what.close()), now);
    }

    pub(super) fn dialler_late(&mut self, due: Due, now: Time) {
        match due {
            Due::NoAnswer => self.breach(UNANSWERED, now),
            _ => self.breach(LATE, now),
        }
    }
}

impl Dialler {
    fn connect(&mut self, variables: &Map<String, Value>, now: Time) {
        let told = |name: &str| inbound::text(variables, name);
        self.stage = Stage::Connected;
        self.connected = Some(now);
        self.caller = told(inbound::CALLER);
        self.did = told(inbound::DID);
        self.direction = told(inbound::DIRECTION);
        self.stream = told(inbound::STREAM);
    }

    /// The stream may be named by either of the first two frames; the first name stays.
    fn start(&mut self, stream: Option<String>) {
        self.stage = Stage::Started;
        if self.stream.is_empty() {
            self.stream = stream.unwrap_or_default();
        }
    }

    pub(super) fn waits_for_crm(&self) -> Option<Time> {
        self.crm_until
    }

    /// What is due before the call is answered.
    pub(super) fn due(&self, give_up: Time) -> (Time, Due) {
        match (self.opened, self.connected) {
            (_, Some(connected)) => (after(connected, ANSWER_MS), Due::NoAnswer),
            (Some(opened), None) => (after(opened, CONNECTED_MS), Due::NoConnected),
            (None, None) => (give_up, Due::NoMedia),
        }
    }

    /// `audio` (µ-law) in frames of 20 ms. `RevMediaQ` is how many frames are sent and not played yet.
    pub(super) fn media(&mut self, audio: &[u8], ahead_ms: u64, now: Time) -> Vec<String> {
        let stamp: String = now.rfc3339().chars().take(19).collect();
        let stamp = stamp.replace('T', " ");
        let mut frames = Vec::new();
        for (queued, piece) in (ahead_ms / FRAME_MS..).zip(audio.chunks(FRAME)) {
            self.chunk += 1;
            let frame = json!({
                "event": "reverse-media",
                "chunk": self.chunk,
                "did": self.did,
                "payload": STANDARD.encode(g711::to_linear(piece)),
                "timestamp": stamp,
                "streamId": self.stream,
                "callerId": self.caller,
                "chunk_durn_ms": FRAME_MS,
                "callDirection": self.direction,
                "encoding": "LINEAR",
                "RevMediaQ": queued,
                "source": "ai",
            });
            frames.push(frame.to_string());
        }
        frames
    }

    /// Drops what the dialler has not played yet.
    pub(super) fn media_stop(&self) -> String {
        self.control("reverse-media-stop", &[])
    }

    pub(super) fn hang_up(&self, message: &str) -> String {
        let more = [("source", "ai"), ("message", message)];
        self.control("reverse-hangup-call", &more)
    }

    pub(super) fn transfer(&self, to: &str) -> String {
        self.control("reverse-call-transfer", &[("transferTo", to)])
    }

    fn control(&self, event: &str, more: &[(&str, &str)]) -> String {
        let mut frame = json!({
            "event": event, "streamId": self.stream, "callerId": self.caller,
        });
        for (name, value) in more {
            frame[*name] = json!(value);
        }
        frame.to_string()
    }
}

#[cfg(test)]
mod tests;
