//! Twilio's Media Streams messages, both ways.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

/// What Twilio says.
pub(super) enum Message {
    Start(Start),
    /// Audio of the contact, µ-law.
    Media(Vec<u8>),
    Dtmf(String),
    /// The audio sent before the mark of this name has been played, or cleared.
    Mark(String),
    Stop,
    /// Nothing a conversation depends on, or nothing we know.
    Other,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Start {
    #[serde(default)]
    pub(super) stream_sid: String,
    #[serde(default)]
    pub(super) call_sid: String,
    media_format: Option<MediaFormat>,
}

impl Start {
    pub(super) fn speaks_mulaw(&self) -> bool {
        self.media_format
            .as_ref()
            .is_none_or(|format| format.encoding == "audio/x-mulaw")
    }
}

#[derive(Deserialize)]
struct MediaFormat {
    encoding: String,
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Wire {
    Start {
        start: Start,
    },
    Media {
        media: Media,
    },
    Dtmf {
        dtmf: Dtmf,
    },
    Mark {
        mark: Mark,
    },
    Stop,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Media {
    track: Option<String>,
    payload: String,
}

#[derive(Deserialize)]
struct Dtmf {
    digit: String,
}

#[derive(Deserialize)]
struct Mark {
    name: String,
}

pub(super) fn read(text: &str) -> Message {
    match serde_json::from_str(text) {
        Ok(Wire::Start { start }) => Message::Start(start),
        Ok(Wire::Media { media }) if media.track.as_deref() != Some("outbound") => STANDARD
            .decode(media.payload)
            .map_or(Message::Other, Message::Media),
        Ok(Wire::Dtmf { dtmf }) => Message::Dtmf(dtmf.digit),
        Ok(Wire::Mark { mark }) => Message::Mark(mark.name),
        Ok(Wire::Stop) => Message::Stop,
        Ok(Wire::Media { .. } | Wire::Other) | Err(_) => Message::Other,
    }
}

/// Plays `audio` after whatever was sent before.
pub(super) fn media(stream: &str, audio: &[u8]) -> String {
    let payload = STANDARD.encode(audio);
    json!({"event": "media", "streamSid": stream, "media": {"payload": payload}}).to_string()
}

/// Asks to be told when everything sent so far has been played.
pub(super) fn mark(stream: &str, name: &str) -> String {
    json!({"event": "mark", "streamSid": stream, "mark": {"name": name}}).to_string()
}

/// Drops what has been sent and not played.
pub(super) fn clear(stream: &str) -> String {
    json!({"event": "clear", "streamSid": stream}).to_string()
}
