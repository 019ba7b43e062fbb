//! One call's conversation over Twilio Media Streams or a dialler's socket, with neither socket nor clock.
//!
//! The one rule: after [`Session::new`] and after every [`Session::handle`], take [`Session::output`] until it is
//! `None` and do what each says; then wait for the next input, or until [`Session::deadline`] and hand in
//! [`Input::Tick`]. When [`Session::is_over`], the last report has been given out and nothing more will come.
//!
//! The agent says the disclosure and the greeting, then one line of its script per turn of the contact, then goodbye.
//! The contact may interrupt anything but the disclosure and the goodbye.

mod contact;
mod dialler;
mod ending;
mod framing;
mod g711;
mod message;
mod speaking;
#[cfg(test)]
mod tests;

use crate::socket::{Close, Unusable};
use crate::time::Time;
use crate::voice::{Kind, Line, StartOrder, VoiceEvent};
use contact::Turn;
pub use contact::{HANG_UP, OPT_OUT};
pub use dialler::HANDSHAKE_S;
use ending::Ending;
pub use ending::TRANSFERRED;
use framing::Framing;
use message::Message;
use serde_json::{Map, Value};
use speaking::{Playing, Words};
use std::collections::{BTreeMap, VecDeque};

/// What happens to a session.
#[derive(Debug)]
pub enum Input<'a> {
    /// The socket to Twilio or the dialler is open.
    Opened,
    /// A text message on the socket.
    Text(&'a str),
    /// Another message on the socket.
    Unusable(Unusable),
    /// The audio (µ-law, 8 kHz) that [`Output::Synthesize`] asked for.
    Speech { words: usize, audio: Vec<u8> },
    /// Some audio that was asked for cannot be made.
    SpeechFailed,
    /// What the agent's CRM says of a dialler's call.
    Crm(Map<String, Value>),
    /// The contact began to speak in what [`Output::Hear`] gave out.
    ContactSpeaks,
    /// The contact stopped speaking.
    ContactPauses,
    /// The gateway took the report that the contact opted out.
    OptedOut,
    /// [`Session::deadline`] has come.
    Tick,
    /// The gateway wants the call to end.
    Stop,
    /// Whoever led the socket here is gone: nobody asked for an end, and nothing reaches the other side any more.
    Abandoned,
    /// The socket is closed: by a close message with this code (1005 if it names none), or without one.
    Closed { code: Option<u16> },
}

/// What a session wants done, in this order.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Turn `text` into speech and hand it in as [`Input::Speech`] with the same `words`.
    Synthesize { words: usize, text: String },
    /// Send this text message on the socket.
    Send(String),
    /// Listen for speech in this audio of the contact (µ-law, 8 kHz).
    Hear(Vec<u8>),
    /// Report this to the gateway.
    Report(VoiceEvent),
    /// Close the socket.
    Close(Close),
}

/// The conversation of one call.
#[derive(Debug)]
pub struct Session {
    order: StartOrder,
    created: Time,
    framing: Framing,
    stream: Option<Stream>,
    /// Everything the agent may say, named by index.
    words: Vec<Words>,
    /// Of `words`: what is still to be said, each line once the one before has been heard.
    queue: VecDeque<usize>,
    /// Of `words`: the answers to the contact's turns that are left.
    script: VecDeque<usize>,
    /// Of `words`: the answers to DTMF keys.
    keys: BTreeMap<String, usize>,
    goodbye: usize,
    /// Of `words`: what is said to a contact who opted out.
    confirmation: Option<usize>,
    /// Since when the gateway's answer to that is waited for.
    opting_out: Option<Time>,
    playing: Option<Playing>,
    /// How many lines the agent has begun; names their marks.
    begun: u32,
    spoke: bool,
    turn: Turn,
    quiet_since: Time,
    ending: Option<Ending>,
    broken: Option<Time>,
    over: bool,
    transcript: Vec<Line>,
    outputs: VecDeque<Output>,
}

/// The media, from Twilio's `start` message or the dialler's `answer` on.
#[derive(Debug)]
struct Stream {
    started: Time,
    last_media: Time,
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug)]
enum Due {
    NoMedia,
    NoConnected,
    NoAnswer,
    NoCrm,
    Broken,
    Audio,
    UnheardMark,
    ContactWentQuiet,
    TurnOver,
    OptOutUnheard,
    Silence,
    CallLimit,
    GoodbyeTookTooLong,
}

impl Session {
    /// A session that waits for media. It asks for the audio of everything the agent may say as soon as the texts are
    /// known: on the phone at once, of a dialler's call once its first frame is read.
    pub fn new(order: StartOrder, now: Time) -> Session {
        let dialler = order.kind == Kind::Dialler;
        let mut session = Session {
            created: now,
            framing: match dialler {
                true => Framing::Dialler(Box::default()),
                false => Framing::Twilio {
                    stream: String::new(),
                },
            },
            stream: None,
            words: Vec::new(),
            queue: VecDeque::new(),
            script: VecDeque::new(),
            keys: BTreeMap::new(),
            goodbye: 0,
            confirmation: None,
            opting_out: None,
            playing: None,
            begun: 0,
            spoke: false,
            turn: Turn::Quiet,
            quiet_since: now,
            ending: None,
            broken: None,
            over: false,
            transcript: Vec::new(),
            outputs: VecDeque::new(),
            order,
        };
        session.report(VoiceEvent::Ready { at: now });
        if !dialler {
            session.prepare();
        }
        session
    }

    /// Takes in what happened. Drain [`Session::output`] afterwards.
    pub fn handle(&mut self, input: Input<'_>, now: Time) {
        if self.over {
            return;
        }
        match input {
            Input::Opened => self.dialler_opened(now),
            Input::Text(text) => self.read(text, now),
            Input::Unusable(what) => match self.framing {
                // Twilio sends none, and would not mind.
                Framing::Twilio { .. } => {}
                Framing::Dialler(_) => self.dialler_unusable(what, now),
            },
            Input::Speech { words, audio } => self.speech_ready(words, audio, now),
            Input::Crm(values) => self.dialler_known(&values, now),
            Input::SpeechFailed => self.fail("speech_failed", now),
            Input::ContactSpeaks => self.contact_speaks(now),
            Input::ContactPauses => self.contact_pauses(now),
            Input::OptedOut => self.opted_out(now),
            Input::Tick => self.do_what_is_due(now),
            Input::Stop => self.stop(now),
            Input::Abandoned => self.lose("the launcher that led the media socket is gone", now),
            Input::Closed { code } => self.socket_closed(code, now),
        }
    }

    /// The next thing to do.
    pub fn output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to hand in [`Input::Tick`], if nothing else comes first.
    pub fn deadline(&self) -> Option<Time> {
        self.next_due().map(|(at, _)| at)
    }

    pub fn is_over(&self) -> bool {
        self.over
    }

    fn read(&mut self, text: &str, now: Time) {
        if let Framing::Dialler(_) = self.framing {
            return self.dialler_says(text, now);
        }
        match message::read(text) {
            Message::Start(start) => self.start(start, now),
            Message::Media(audio) => self.hear(audio, now),
            Message::Dtmf(digit) => self.key_pressed(&digit, now),
            Message::Mark(name) => self.mark_reached(&name, now),
            Message::Stop => self.contact_hung_up(now),
            Message::Other => {}
        }
    }

    fn start(&mut self, start: message::Start, now: Time) {
        if self.stream.is_some() {
            return;
        }
        if start.call_sid.is_empty() || start.stream_sid.is_empty() {
            return self.fail("start_without_call_sid", now);
        }
        if !start.speaks_mulaw() {
            return self.fail("media_format_unknown", now);
        }
        self.framing = Framing::Twilio {
            stream: start.stream_sid,
        };
        self.begin(start.call_sid, now);
    }

    /// Media flows from here on. `call_sid` is the other side's name for the call.
    fn begin(&mut self, call_sid: String, now: Time) {
        self.stream = Some(Stream {
            started: now,
            last_media: now,
        });
        self.quiet_since = now;
        self.report(VoiceEvent::MediaStarted { at: now, call_sid });
        self.speak(now);
    }

    fn next_due(&self) -> Option<(Time, Due)> {
        if self.over {
            return None;
        }
        if let Some(since) = self.broken {
            return Some((after(since, ending::BROKEN_MS), Due::Broken));
        }
        if let Framing::Dialler(dialler) = &self.framing
            && let Some(until) = dialler.waits_for_crm()
        {
            return Some((until, Due::NoCrm));
        }
        let Some(stream) = &self.stream else {
            let give_up = self.created.plus_s(self.order.limits.connect_s);
            return Some(match &self.framing {
                Framing::Twilio { .. } => (give_up, Due::NoMedia),
                Framing::Dialler(dialler) => dialler.due(give_up),
            });
        };
        [
            self.speaking_due(),
            self.turn_due(stream),
            self.opt_out_due(),
            self.ending_due(stream),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|(at, _)| *at)
    }

    fn do_what_is_due(&mut self, now: Time) {
        while let Some((at, due)) = self.next_due()
            && at <= now
        {
            match due {
                Due::NoMedia => self.lose("no media socket came in time", now),
                Due::NoCrm => self.dialler_known(&Map::new(), now),
                Due::NoConnected | Due::NoAnswer => self.dialler_late(due, now),
                Due::Broken => self.lose("the media socket broke", now),
                Due::Audio => self.speak(now),
                Due::UnheardMark => self.line_heard(now),
                Due::ContactWentQuiet => self.contact_pauses(now),
                Due::TurnOver => self.turn_over(now),
                Due::OptOutUnheard => self.opt_out_unheard(now),
                Due::Silence => self.say_goodbye(ending::SILENCE, now),
                Due::CallLimit => self.say_goodbye(ending::CALL_LIMIT, now),
                Due::GoodbyeTookTooLong => self.end_as_planned(now),
            }
        }
    }

    fn report(&mut self, event: VoiceEvent) {
        self.outputs.push_back(Output::Report(event));
    }

    fn add_line(&mut self, line: Line) {
        self.report(VoiceEvent::Line {
            index: self.transcript.len() as u32,
            line: line.clone(),
        });
        self.transcript.push(line);
    }
}

fn after(time: Time, ms: u64) -> Time {
    Time(time.0.saturating_add(ms))
}
