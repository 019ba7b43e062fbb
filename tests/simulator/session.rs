//! An open stream: what is played, heard and said in each 20 ms, and what the agent sends meanwhile.

use crate::call::{Call, Ending, Leg, Steer};
use crate::contact::Does;
use crate::outbox::Outbox;
use crate::playout::Playout;
use crate::record::Media;
use crate::speech::{FRAME, SILENCE, audible};
use crate::verbs::{Step, after};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::sync::Arc;
use tokio::time::Instant;

/// Why a stream is over.
pub(crate) enum Over {
    /// Our side closed the socket.
    Agent(u16),
    /// The connection broke, or was made to.
    Broken(String),
    /// Our side sent what no stream takes: a code of Twilio's log and its text.
    Wrong(u32, String),
    /// The call ends or goes elsewhere.
    Leaves(Step),
}

/// The counters and buffers of an open stream.
pub(crate) struct Session {
    call: Arc<Call>,
    /// Which of the call's streams it is.
    at: usize,
    opened: Instant,
    playout: Playout,
    media: Media,
    pub(crate) outbox: Outbox,
}

impl Session {
    pub(crate) fn new(call: &Arc<Call>, at: usize, outbox: Outbox) -> Self {
        Self {
            call: call.clone(),
            at,
            opened: Instant::now(),
            playout: Playout::default(),
            media: Media::default(),
            outbox,
        }
    }

    /// Twenty milliseconds: play, hear, answer.
    pub(crate) fn tick(&mut self, leg: &mut Leg<'_>) -> Option<Over> {
        let heard = self.playout.play();
        self.media.played_ms += heard.played as u64 / 8;
        self.echo(heard.marks);
        let does = leg.contact.hear(&heard.frame);
        let frame = match does {
            Does::Speaks(frame) => frame,
            Does::Listens | Does::HangsUp => [SILENCE; FRAME],
        };
        if audible(&frame) {
            self.media.caller_speech_ms += 20;
        }
        self.media.turns_spoken += leg.contact.take_turns_spoken();
        self.call.audio().add(&heard.frame, &frame);
        self.send_audio(&frame);
        if self.media.frames_sent.is_multiple_of(25) {
            self.publish();
        }
        if does == Does::HangsUp {
            let ending = Ending::completed("contact");
            return Some(Over::Leaves(Step::End(ending)));
        }
        leg.overdue().map(|ending| Over::Leaves(Step::End(ending)))
    }

    fn send_audio(&mut self, frame: &[u8]) {
        let chunk = self.media.frames_sent + self.media.frames_dropped + 1;
        if self.outbox.audio(frame, chunk) {
            self.media.frames_sent += 1;
            return;
        }
        if self.media.frames_dropped == 0 {
            let complaint = "The stream is not read fast enough; audio was dropped";
            self.call.record().notify(31930, complaint);
        }
        self.media.frames_dropped += 1;
    }

    /// Takes a message of the agent's.
    pub(crate) fn receive(&mut self, text: &str) -> Option<Over> {
        let complaint = self.take(text).err()?;
        Some(Over::Wrong(31951, complaint))
    }

    fn take(&mut self, text: &str) -> Result<(), String> {
        let message: Incoming =
            serde_json::from_str(text).map_err(|error| format!("Not a message: {error}"))?;
        if message.stream_sid.as_deref() != Some(self.outbox.stream_sid()) {
            return Err("Another stream's streamSid, or none".to_owned());
        }
        match (message.event.as_str(), message.media, message.mark) {
            ("media", Some(media), _) => {
                let samples = STANDARD
                    .decode(media.payload)
                    .map_err(|_| "The payload is not base64")?;
                self.take_audio(samples);
            }
            ("mark", _, Some(mark)) => {
                self.media.marks_received += 1;
                self.playout.push_mark(mark.name);
            }
            ("clear", ..) => {
                self.media.clears += 1;
                let (lost, marks) = self.playout.clear();
                self.media.cleared_ms += lost as u64 / 8;
                self.echo(marks);
            }
            ("media" | "mark", ..) => return Err("A message without its content".to_owned()),
            (event, ..) => return Err(format!("No stream takes the event {event:?}")),
        }
        Ok(())
    }

    fn take_audio(&mut self, samples: Vec<u8>) {
        self.media.frames_received += 1;
        self.media.bytes_received += samples.len() as u64;
        let loud = samples.chunks(FRAME).filter(|frame| audible(frame));
        let speech_ms = loud.map(|frame| frame.len() as u64 / 8).sum::<u64>();
        self.media.agent_speech_ms += speech_ms;
        if speech_ms > 0 && self.media.first_audio_ms.is_none() {
            let waited = self.opened.elapsed().as_millis();
            self.media.first_audio_ms = Some(u64::try_from(waited).unwrap_or(u64::MAX));
        }
        if !self.playout.push_audio(samples) {
            let complaint = "The playout buffer is full; audio was dropped";
            self.call.record().notify(31930, complaint);
        }
    }

    /// Does what a test or the REST API asks of the live call.
    pub(crate) fn steer(&mut self, steer: Steer, leg: &mut Leg<'_>) -> Option<Over> {
        match steer {
            Steer::Dtmf(digit) => {
                self.media.dtmf_sent += 1;
                self.outbox.dtmf(digit);
                None
            }
            Steer::Speak => {
                leg.contact.interrupt();
                None
            }
            Steer::DropMedia => Some(Over::Broken("dropped as asked".to_owned())),
            steer => after(steer).map(Over::Leaves),
        }
    }

    fn echo(&mut self, marks: Vec<String>) {
        for name in marks {
            self.media.marks_echoed += 1;
            self.outbox.mark(&name);
        }
    }

    /// Shows the counters in the call's record.
    pub(crate) fn publish(&self) {
        let mut record = self.call.record();
        record.streams[self.at].media = self.media.clone();
        let mut total = Media::default();
        for stream in &record.streams {
            total.add(&stream.media);
        }
        record.media = total;
    }
}

/// What the agent may send.
#[derive(Deserialize)]
struct Incoming {
    event: String,
    #[serde(rename = "streamSid")]
    stream_sid: Option<String>,
    media: Option<Payload>,
    mark: Option<Mark>,
}

#[derive(Deserialize)]
struct Payload {
    payload: String,
}

#[derive(Deserialize)]
struct Mark {
    name: String,
}
