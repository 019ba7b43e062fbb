//! The frames a dialler sends.

use serde::Deserialize;
use serde_json::{Map, Value};

pub(super) enum Frame {
    /// With all its fields.
    Connected(Map<String, Value>),
    Start {
        stream: Option<String>,
        format: Option<MediaFormat>,
    },
    Answer,
    /// Base64 of linear PCM: 16 bit, little endian, 8 kHz, one channel.
    Media(String),
    HangUp,
    /// Nothing we know.
    Other,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MediaFormat {
    encoding: Option<String>,
    sample_rate: Option<u32>,
    channels: Option<u32>,
}

impl MediaFormat {
    /// Whether it is the one format there is; what it leaves out is taken for granted.
    pub(super) fn is_linear(&self) -> bool {
        let linear = |name: &String| {
            ["LINEAR", "LINEAR16"]
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known))
        };
        self.encoding.as_ref().is_none_or(linear)
            && self.sample_rate.is_none_or(|rate| rate == 8_000)
            && self.channels.is_none_or(|channels| channels == 1)
    }
}

/// None: no JSON object, or a known event whose fields do not read.
pub(super) fn read(text: &str) -> Option<Frame> {
    let fields: Map<String, Value> = serde_json::from_str(text).ok()?;
    let text_of = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(match fields.get("event")?.as_str()? {
        "connected" => Frame::Connected(fields),
        "start" => Frame::Start {
            stream: text_of("streamId"),
            format: match fields.get("mediaFormat") {
                None | Some(Value::Null) => None,
                Some(format) => Some(MediaFormat::deserialize(format).ok()?),
            },
        },
        "answer" => Frame::Answer,
        "media" => Frame::Media(text_of("payload")?),
        "hangup-call" => Frame::HangUp,
        _ => Frame::Other,
    })
}
