//! What the stream says to the agent: Media Streams messages, numbered, on their way to a reader.

use crate::call::Call;
use crate::twiml::StreamTo;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// Messages on their way to a reader who does not read: 4 s of audio. What does not fit is lost.
const UNREAD: usize = 200;

pub(crate) struct Outbox {
    queue: mpsc::Sender<Message>,
    stream_sid: String,
    sequence: u64,
}

/// The outbox of a stream, and the messages for its socket.
pub(crate) fn outbox(stream_sid: String) -> (Outbox, mpsc::Receiver<Message>) {
    let (queue, queued) = mpsc::channel(UNREAD);
    let outbox = Outbox {
        queue,
        stream_sid,
        sequence: 0,
    };
    (outbox, queued)
}

impl Outbox {
    pub(crate) fn stream_sid(&self) -> &str {
        &self.stream_sid
    }

    /// `connected` and `start`.
    pub(crate) fn greet(&mut self, call: &Call, to: &StreamTo) {
        let connected = json!({ "event": "connected", "protocol": "Call", "version": "1.0.0" });
        self.push(connected.to_string());
        let parameters: serde_json::Map<String, Value> = to
            .parameters
            .iter()
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect();
        let start = json!({
            "accountSid": call.account.sid,
            "callSid": call.sid,
            "streamSid": self.stream_sid,
            "tracks": ["inbound"],
            "mediaFormat": { "encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1 },
            "customParameters": parameters,
        });
        self.say("start", json!({ "start": start }));
    }

    /// Sends 20 ms of the caller; false when the reader is so far behind that they are lost.
    pub(crate) fn audio(&mut self, frame: &[u8], chunk: u64) -> bool {
        self.sequence += 1;
        // Fifty times a second on every call: written by hand.
        self.push(format!(
            r#"{{"event":"media","sequenceNumber":"{}","media":{{"track":"inbound","chunk":"{chunk}","timestamp":"{}","payload":"{}"}},"streamSid":"{}"}}"#,
            self.sequence,
            (chunk - 1) * 20,
            STANDARD.encode(frame),
            self.stream_sid,
        ))
    }

    pub(crate) fn mark(&mut self, name: &str) {
        self.say("mark", json!({ "mark": { "name": name } }));
    }

    pub(crate) fn dtmf(&mut self, digit: char) {
        let dtmf = json!({ "track": "inbound_track", "digit": digit.to_string() });
        self.say("dtmf", json!({ "dtmf": dtmf }));
    }

    pub(crate) fn stop(&mut self, call: &Call) {
        let stop = json!({ "accountSid": call.account.sid, "callSid": call.sid });
        self.say("stop", json!({ "stop": stop }));
    }

    pub(crate) fn close(&self, code: u16) {
        let frame = CloseFrame {
            code: code.into(),
            reason: "".into(),
        };
        // A full queue means a reader who will not see a close either.
        let _ = self.queue.try_send(Message::Close(Some(frame)));
    }

    fn say(&mut self, event: &str, mut content: Value) {
        self.sequence += 1;
        content["event"] = event.into();
        content["sequenceNumber"] = self.sequence.to_string().into();
        content["streamSid"] = self.stream_sid.as_str().into();
        self.push(content.to_string());
    }

    /// Like audio, an event that a stuck reader leaves no room for is lost.
    fn push(&self, message: String) -> bool {
        self.queue.try_send(Message::text(message)).is_ok()
    }
}
