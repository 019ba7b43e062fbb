//! One media stream: Twilio's Media Streams messages, the playout buffer, and the person at the other end.

use crate::call::{Call, Ending, Leg, Steer};
use crate::callbacks::post_aside;
use crate::clock::now_ms;
use crate::contact::Does;
use crate::order::Hook;
use crate::playout::Playout;
use crate::record::{Media, Stream};
use crate::socket::{self, Refused, Socket};
use crate::speech::{FRAME, SILENCE, audible};
use crate::twilio::{Twilio, new_sid};
use crate::twiml::StreamTo;
use crate::verbs::{Step, absolute, after};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// Twilio waits this long for the handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Messages on their way to a reader who does not read: 4 s. What does not fit is lost, and the log says 31930.
const UNREAD: usize = 200;

/// Why a stream is over.
enum Over {
    /// Our side closed the socket.
    Agent(u16),
    /// The connection broke, or was made to.
    Broken(String),
    /// Our side sent what no stream takes.
    Wrong(u32, String),
    /// The call ends or goes elsewhere.
    Leaves(Step),
}

/// Streams until either side ends it; says who did when the document is to go on.
pub(crate) async fn run(
    leg: &mut Leg<'_>,
    to: &StreamTo,
    base: Option<&str>,
) -> Result<&'static str, Step> {
    let (url, signature) = socket::address(&leg.call.account, &to.url);
    let stream_sid = new_sid("MZ");
    let at = {
        let mut record = leg.call.record();
        record.streams.push(Stream {
            stream_sid: stream_sid.clone(),
            url: url.clone(),
            signature: signature.clone(),
            parameters: to.parameters.clone(),
            handshake_status: None,
            handshake_ms: 0,
            opened_at_ms: None,
            closed_at_ms: None,
            closed_by: None,
            close_code: None,
            media: Media::default(),
        });
        record.streams.len() - 1
    };
    let start = Instant::now();
    let opened = leg
        .during(timeout(HANDSHAKE, socket::open(&url, &signature)))
        .await?;
    let opened = opened.unwrap_or_else(|_| {
        Err(Refused {
            code: 31920,
            status: None,
            message: "The handshake was not answered in time".to_owned(),
        })
    });
    let status = StreamStatus::new(leg, to, base, &stream_sid);
    {
        let mut record = leg.call.record();
        let stream = &mut record.streams[at];
        stream.handshake_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        match &opened {
            Ok(_) => {
                stream.handshake_status = Some(101);
                stream.opened_at_ms = Some(now_ms());
            }
            Err(refused) => {
                stream.handshake_status = refused.status;
                stream.closed_by = Some("error");
                record.notify(refused.code, refused.message.as_str());
            }
        }
    }
    let socket = match opened {
        Ok(socket) => socket,
        Err(refused) => {
            status.tell("stream-error", Some(&refused.message));
            return Ok("error");
        }
    };
    status.tell("stream-started", None);
    let mut session = Session::new(leg.call, at, stream_sid);
    let over = session.stream(leg, socket, to).await;
    session.close(leg, over, &status)
}

/// The counters and buffers of an open stream.
struct Session {
    call: Arc<Call>,
    at: usize,
    stream_sid: String,
    opened: Instant,
    sequence: u64,
    playout: Playout,
    media: Media,
}

impl Session {
    fn new(call: &Arc<Call>, at: usize, stream_sid: String) -> Self {
        Self {
            call: call.clone(),
            at,
            stream_sid,
            opened: Instant::now(),
            sequence: 0,
            playout: Playout::default(),
            media: Media::default(),
        }
    }

    async fn stream(&mut self, leg: &mut Leg<'_>, socket: Socket, to: &StreamTo) -> Over {
        let (mut sink, mut incoming) = socket.split();
        let (out, mut queued) = mpsc::channel::<Message>(UNREAD);
        let writer = tokio::spawn(async move {
            while let Some(message) = queued.recv().await {
                if sink.send(message).await.is_err() {
                    break;
                }
            }
            // Nobody may be there any more to hear the close.
            let _ = sink.close().await;
        });
        self.greet(&out, to);
        let mut tick = interval(Duration::from_millis(20));
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let over = loop {
            tokio::select! {
                _ = tick.tick() => if let Some(step) = self.tick(leg, &out) {
                    break Over::Leaves(step);
                },
                message = incoming.next() => match message {
                    Some(Ok(Message::Text(text))) => {
                        if let Err((code, complaint)) = self.receive(&text, &out) {
                            break Over::Wrong(code, complaint);
                        }
                    }
                    Some(Ok(Message::Binary(_))) => {
                        break Over::Wrong(31950, "A binary message".to_owned());
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                    last => break match socket::end(last) {
                        Ok(code) => Over::Agent(code),
                        Err(error) => Over::Broken(error),
                    },
                },
                Some(steer) = leg.steering.recv() => if let Some(over) = self.steer(steer, leg, &out) {
                    break over;
                },
            }
        };
        match &over {
            Over::Leaves(_) => {
                let stop = json!({ "accountSid": self.call.account.sid, "callSid": self.call.sid });
                self.say(&out, "stop", json!({ "stop": stop }));
                self.goodbye(&out, 1000);
            }
            Over::Wrong(..) => self.goodbye(&out, 1008),
            Over::Agent(_) => {}
            Over::Broken(_) => writer.abort(),
        }
        drop(out);
        // What was queued goes out, the close is answered, and a reader who hangs does not hold the call up.
        let rest = async {
            while incoming.next().await.is_some_and(|message| message.is_ok()) {}
            let _ = writer.await;
        };
        let _ = timeout(Duration::from_millis(500), rest).await;
        over
    }

    fn greet(&mut self, out: &mpsc::Sender<Message>, to: &StreamTo) {
        let connected = json!({ "event": "connected", "protocol": "Call", "version": "1.0.0" });
        self.push(out, connected.to_string());
        let parameters: serde_json::Map<String, Value> = to
            .parameters
            .iter()
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect();
        let start = json!({
            "accountSid": self.call.account.sid,
            "callSid": self.call.sid,
            "streamSid": self.stream_sid,
            "tracks": ["inbound"],
            "mediaFormat": { "encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1 },
            "customParameters": parameters,
        });
        self.say(out, "start", json!({ "start": start }));
    }

    /// Twenty milliseconds: play, hear, answer.
    fn tick(&mut self, leg: &mut Leg<'_>, out: &mpsc::Sender<Message>) -> Option<Step> {
        let heard = self.playout.play();
        self.media.played_ms += heard.played as u64 / 8;
        self.echo(out, heard.marks);
        let does = leg.contact.hear(&heard.frame);
        let frame = match does {
            Does::Speaks(frame) => frame,
            Does::Listens | Does::HangsUp => [SILENCE; FRAME],
        };
        if audible(&frame) {
            self.media.caller_speech_ms += 20;
        }
        self.call.audio().add(&heard.frame, &frame);
        self.send_audio(out, &frame);
        self.media.turns_spoken += leg.contact.take_turns_spoken();
        if self.media.frames_sent.is_multiple_of(25) {
            self.publish();
        }
        if does == Does::HangsUp {
            return Some(Step::End(Ending::completed("contact")));
        }
        leg.overdue().map(Step::End)
    }

    fn send_audio(&mut self, out: &mpsc::Sender<Message>, frame: &[u8]) {
        let chunk = self.media.frames_sent + self.media.frames_dropped + 1;
        let timestamp = (chunk - 1) * 20;
        // Fifty times a second on every call: written by hand.
        self.sequence += 1;
        let message = format!(
            r#"{{"event":"media","sequenceNumber":"{}","media":{{"track":"inbound","chunk":"{chunk}","timestamp":"{timestamp}","payload":"{}"}},"streamSid":"{}"}}"#,
            self.sequence,
            STANDARD.encode(frame),
            self.stream_sid,
        );
        if out.try_send(Message::text(message)).is_ok() {
            self.media.frames_sent += 1;
        } else {
            if self.media.frames_dropped == 0 {
                let complaint = "The stream is not read fast enough; audio was dropped";
                self.call.record().notify(31930, complaint);
            }
            self.media.frames_dropped += 1;
        }
    }

    /// Takes a message of the agent's. The error is a code of Twilio's log and its text.
    fn receive(&mut self, text: &str, out: &mpsc::Sender<Message>) -> Result<(), (u32, String)> {
        let wrong = |complaint: &str| (31951, complaint.to_owned());
        let message: Incoming = serde_json::from_str(text)
            .map_err(|error| wrong(&format!("Not a message: {error}")))?;
        if message.stream_sid.as_deref() != Some(&self.stream_sid) {
            return Err(wrong("Another stream's streamSid, or none"));
        }
        match (message.event.as_str(), message.media, message.mark) {
            ("media", Some(media), _) => {
                let samples = STANDARD
                    .decode(media.payload)
                    .map_err(|_| wrong("The payload is not base64"))?;
                self.receive_audio(samples);
            }
            ("mark", _, Some(mark)) => {
                self.media.marks_received += 1;
                self.playout.push_mark(mark.name);
            }
            ("clear", ..) => {
                self.media.clears += 1;
                let (lost, marks) = self.playout.clear();
                self.media.cleared_ms += lost as u64 / 8;
                self.echo(out, marks);
            }
            ("media" | "mark", ..) => return Err(wrong("A message without its content")),
            (event, ..) => return Err(wrong(&format!("No stream takes the event {event:?}"))),
        }
        Ok(())
    }

    fn receive_audio(&mut self, samples: Vec<u8>) {
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
            self.call
                .record()
                .notify(31930, "The playout buffer is full; audio was dropped");
        }
    }

    fn steer(
        &mut self,
        steer: Steer,
        leg: &mut Leg<'_>,
        out: &mpsc::Sender<Message>,
    ) -> Option<Over> {
        match steer {
            Steer::Dtmf(digit) => {
                self.media.dtmf_sent += 1;
                let dtmf = json!({ "track": "inbound_track", "digit": digit.to_string() });
                self.say(out, "dtmf", json!({ "dtmf": dtmf }));
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

    fn echo(&mut self, out: &mpsc::Sender<Message>, marks: Vec<String>) {
        for name in marks {
            self.media.marks_echoed += 1;
            self.say(out, "mark", json!({ "mark": { "name": name } }));
        }
    }

    /// Sends an event with its sequence number and stream.
    fn say(&mut self, out: &mpsc::Sender<Message>, event: &str, mut content: Value) {
        self.sequence += 1;
        content["event"] = event.into();
        content["sequenceNumber"] = self.sequence.to_string().into();
        content["streamSid"] = self.stream_sid.as_str().into();
        self.push(out, content.to_string());
    }

    fn goodbye(&self, out: &mpsc::Sender<Message>, code: u16) {
        let frame = CloseFrame {
            code: code.into(),
            reason: "".into(),
        };
        // A full queue means a reader who will not see a close either.
        let _ = out.try_send(Message::Close(Some(frame)));
    }

    fn push(&self, out: &mpsc::Sender<Message>, message: String) {
        // Like audio, an event that a stuck reader leaves no room for is lost.
        let _ = out.try_send(Message::text(message));
    }

    /// Shows the counters in the call's record.
    fn publish(&self) {
        let mut record = self.call.record();
        record.streams[self.at].media = self.media.clone();
        let mut total = Media::default();
        for stream in &record.streams {
            total.add(&stream.media);
        }
        record.media = total;
    }

    fn close(self, leg: &Leg<'_>, over: Over, status: &StreamStatus) -> Result<&'static str, Step> {
        self.publish();
        let (by, code, next) = match over {
            Over::Agent(code) => ("agent", Some(code), Ok("agent")),
            Over::Broken(error) => {
                leg.call
                    .record()
                    .notify(31903, format!("The stream broke: {error}"));
                ("broken", None, Ok("broken"))
            }
            Over::Wrong(code, complaint) => {
                leg.call.record().notify(code, complaint.as_str());
                status.tell("stream-error", Some(&complaint));
                ("error", Some(1008), Ok("error"))
            }
            Over::Leaves(step) => {
                let by = match &step {
                    Step::End(ending) => ending.by,
                    Step::Goto(..) => "api",
                };
                (by, Some(1000), Err(step))
            }
        };
        {
            let mut record = leg.call.record();
            let stream = &mut record.streams[self.at];
            stream.closed_at_ms = Some(now_ms());
            stream.closed_by = Some(by);
            stream.close_code = code;
        }
        status.tell("stream-stopped", None);
        next
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

/// The stream's own callback, when the TwiML names one.
struct StreamStatus {
    twilio: Arc<Twilio>,
    call: Arc<Call>,
    hook: Option<Hook>,
    name: String,
    stream_sid: String,
}

impl StreamStatus {
    fn new(leg: &Leg<'_>, to: &StreamTo, base: Option<&str>, stream_sid: &str) -> Self {
        let url = to.status.as_deref().and_then(|url| absolute(base, url));
        Self {
            twilio: leg.twilio.clone(),
            call: leg.call.clone(),
            hook: url.map(|url| Hook {
                url,
                get: to.status_get,
            }),
            name: to.name.clone().unwrap_or_else(|| stream_sid.to_owned()),
            stream_sid: stream_sid.to_owned(),
        }
    }

    fn tell(&self, event: &str, error: Option<&str>) {
        let Some(hook) = self.hook.clone() else {
            return;
        };
        let mut fields = vec![
            ("AccountSid", self.call.account.sid.clone()),
            ("CallSid", self.call.sid.clone()),
            ("StreamSid", self.stream_sid.clone()),
            ("StreamName", self.name.clone()),
            ("StreamEvent", event.to_owned()),
            ("Timestamp", crate::clock::rfc3339(now_ms())),
        ];
        if let Some(error) = error {
            fields.push(("StreamError", error.to_owned()));
        }
        let fields = fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        post_aside(&self.twilio, &self.call, hook, "stream", event, fields);
    }
}
