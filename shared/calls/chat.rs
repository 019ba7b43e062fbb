//! A text chat with an agent, with neither socket nor clock: no call, no audio, nothing kept.
//!
//! Used like a call's [`media::Session`](crate::media::Session): drain [`Chat::output`] after [`Chat::new`] and every
//! [`Chat::handle`]; wait for the next input or for [`Chat::deadline`]. The agent says the disclosure and the
//! greeting, then one line of its script per message, then goodbye, as the offline engine does on the phone.
//!
//! Frames out: `{"type":"message","role":"agent","text"}`, `{"type":"error","message"}`, `{"type":"end","reason"}`.
//! Frames in: `{"type":"message","text"}`, `{"type":"end"}`, or plain text. Anything that is no JSON object is text.

pub mod pool;
#[cfg(test)]
mod tests;

use crate::media::{HANG_UP, OPT_OUT};
use crate::socket::{Close, NORMAL, Unusable};
use crate::time::Time;
use crate::voice::{EndedBy, StartOrder, VoiceEvent};
use serde_json::{Map, Value, json};
use std::collections::VecDeque;

/// So many frames that say nothing end the chat.
const MOST_ERRORS: u32 = 10;
const ENOUGH: Close = Close {
    code: 1008,
    reason: "too many frames that say nothing",
};

/// What happens to a chat.
#[derive(Debug)]
pub enum Input<'a> {
    /// The socket is open.
    Opened,
    Text(&'a str),
    Unusable(Unusable),
    /// [`Chat::deadline`] has come.
    Tick,
    /// The gateway wants the chat to end.
    Stop,
    /// The socket is closed.
    Closed,
}

/// What a chat wants done, in this order.
#[derive(Debug, PartialEq)]
pub enum Output {
    Send(String),
    /// Report this to the gateway.
    Report(VoiceEvent),
    Close(Close),
}

/// One chat. Its limits are the order's: `connect_s` until the socket opens, `silence_s` between messages, `call_s` in all.
#[derive(Debug)]
pub struct Chat {
    order: StartOrder,
    created: Time,
    opened: Option<Time>,
    last_message: Time,
    answers: VecDeque<String>,
    errors: u32,
    over: bool,
    outputs: VecDeque<Output>,
}

impl Chat {
    pub fn new(mut order: StartOrder, now: Time) -> Chat {
        let ready = Output::Report(VoiceEvent::Ready { at: now });
        Chat {
            created: now,
            opened: None,
            last_message: now,
            answers: std::mem::take(&mut order.script).into(),
            errors: 0,
            over: false,
            outputs: [ready].into(),
            order,
        }
    }

    pub fn handle(&mut self, input: Input<'_>, now: Time) {
        if self.over {
            return;
        }
        match input {
            Input::Opened => self.open(now),
            Input::Text(text) => self.read(text, now),
            Input::Unusable(what) => {
                self.end(EndedBy::Error, "frame_unusable", what.close(), now);
            }
            Input::Tick => self.do_what_is_due(now),
            Input::Stop => self.end(EndedBy::Gateway, "stopped", NORMAL, now),
            Input::Closed => self.end(EndedBy::Contact, "closed", NORMAL, now),
        }
    }

    /// The next thing to do.
    pub fn output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to hand in [`Input::Tick`]; `None` once the chat is over.
    pub fn deadline(&self) -> Option<Time> {
        (!self.over).then(|| self.due().0)
    }

    fn due(&self) -> (Time, &'static str) {
        let limits = self.order.limits;
        let Some(opened) = self.opened else {
            return (self.created.plus_s(limits.connect_s), "no_socket");
        };
        let idle = (self.last_message.plus_s(limits.silence_s), "idle");
        let long = (opened.plus_s(limits.call_s), "max_duration");
        if idle.0 < long.0 { idle } else { long }
    }

    fn do_what_is_due(&mut self, now: Time) {
        let (at, why) = self.due();
        if now < at {
            return;
        }
        if self.opened.is_some() {
            self.say(self.order.goodbye.clone());
        }
        self.end(EndedBy::Timeout, why, NORMAL, now);
    }

    fn open(&mut self, now: Time) {
        if self.opened.is_some() {
            return;
        }
        self.opened = Some(now);
        self.last_message = now;
        let call_sid = String::new();
        let started = VoiceEvent::MediaStarted { at: now, call_sid };
        self.outputs.push_back(Output::Report(started));
        if let Some(disclosure) = self.order.disclosure.clone() {
            self.say(disclosure);
        }
        self.say(self.order.greeting.clone());
    }

    fn read(&mut self, text: &str, now: Time) {
        self.last_message = now;
        match Frame::read(text) {
            Frame::Message(text) => self.answer(&text, now),
            Frame::End => self.end(EndedBy::Contact, "closed", NORMAL, now),
            Frame::Nothing => self.complain(now),
        }
    }

    /// A key's text answers the key, the next line of the script any other message; after the last comes goodbye.
    fn answer(&mut self, text: &str, now: Time) {
        let key = self.order.keys.get(text);
        let next = match key.map(String::as_str) {
            // There is no number to call no more; what is left to do for them is to stop.
            Some(HANG_UP | OPT_OUT) => None,
            Some(words) => Some(words.to_owned()),
            None => self.answers.pop_front(),
        };
        let by_key = next.is_none() && key.is_some();
        match next {
            Some(words) => self.say(words),
            None => {
                self.say(self.order.goodbye.clone());
                let reason = if by_key { "hangup_key" } else { "agent_ended" };
                self.end(EndedBy::Agent, reason, NORMAL, now);
            }
        }
    }

    fn complain(&mut self, now: Time) {
        self.errors += 1;
        if self.errors >= MOST_ERRORS {
            return self.end(EndedBy::Error, "frames_unreadable", ENOUGH, now);
        }
        let message = r#"say something as text or as {"type":"message","text":"…"}"#;
        self.send(&json!({"type": "error", "message": message}));
    }

    fn say(&mut self, text: String) {
        if !text.trim().is_empty() {
            self.send(&json!({"type": "message", "role": "agent", "text": text}));
        }
    }

    fn send(&mut self, frame: &Value) {
        self.outputs.push_back(Output::Send(frame.to_string()));
    }

    /// The report carries no word of what was said: a chat is not kept.
    fn end(&mut self, by: EndedBy, reason: &str, close: Close, now: Time) {
        self.send(&json!({"type": "end", "reason": reason}));
        self.outputs.push_back(Output::Report(VoiceEvent::Ended {
            at: now,
            by,
            reason: reason.to_owned(),
            transcript: Vec::new(),
        }));
        self.outputs.push_back(Output::Close(close));
        self.over = true;
    }
}

/// What the other side sent.
enum Frame {
    Message(String),
    End,
    /// Nothing that could be answered.
    Nothing,
}

impl Frame {
    fn read(text: &str) -> Frame {
        let message = |text: &str| match text.trim() {
            "" => Frame::Nothing,
            text => Frame::Message(text.to_owned()),
        };
        let Ok(fields) = serde_json::from_str::<Map<String, Value>>(text) else {
            return message(text);
        };
        let field = |name: &str| fields.get(name).and_then(Value::as_str);
        match (field("type"), field("text")) {
            (Some("end"), _) => Frame::End,
            (Some("message") | None, Some(text)) => message(text),
            _ => Frame::Nothing,
        }
    }
}
