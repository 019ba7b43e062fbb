//! The contact's side: turns of speech, and keys.

use super::{Due, Output, Session, Stream, after, ending};
use crate::time::Time;
use crate::voice::{Line, OptOut, Speaker, VoiceEvent};

/// As the answer to a key: end the call.
pub const HANG_UP: &str = "hangup";
/// As the answer to a key: put the contact on the suppression list, then end the call.
pub const OPT_OUT: &str = "opt_out";
/// How long the gateway may take to answer that somebody opted out.
const OPT_OUT_MS: u64 = 5000;
/// The silence that ends a turn: 700 ms, of which 200 pass before hearing is sure that the contact paused.
const TURN_MS: u64 = 500;
/// Twilio sends audio every 20 ms, silence too; so long without any, the contact cannot be speaking.
const NO_AUDIO_MS: u64 = 500;

/// Where the contact's turn stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turn {
    Quiet,
    Speaking { since: Time },
    Pausing { since: Time, at: Time },
}

impl Session {
    pub(super) fn hear(&mut self, audio: Vec<u8>, now: Time) {
        if let Some(stream) = &mut self.stream {
            stream.last_media = now;
            self.outputs.push_back(Output::Hear(audio));
        }
    }

    pub(super) fn contact_speaks(&mut self, now: Time) {
        let since = match self.turn {
            Turn::Quiet => now,
            Turn::Speaking { since } | Turn::Pausing { since, .. } => since,
        };
        self.turn = Turn::Speaking { since };
        if self.may_be_interrupted() {
            self.hush(now);
        }
    }

    pub(super) fn contact_pauses(&mut self, now: Time) {
        if let Turn::Speaking { since } = self.turn {
            self.turn = Turn::Pausing { since, at: now };
        }
    }

    pub(super) fn turn_due(&self, stream: &Stream) -> Option<(Time, Due)> {
        match self.turn {
            Turn::Quiet => None,
            Turn::Speaking { since } => {
                let heard = stream.last_media.max(since);
                Some((after(heard, NO_AUDIO_MS), Due::ContactWentQuiet))
            }
            Turn::Pausing { at, .. } => Some((after(at, TURN_MS), Due::TurnOver)),
        }
    }

    /// The contact has finished: the agent answers, unless it is still talking.
    pub(super) fn turn_over(&mut self, now: Time) {
        self.note_turn(now);
        self.quiet_since = now;
        if self.is_speaking() || self.opting_out.is_some() {
            return;
        }
        match self.script.pop_front() {
            Some(words) => self.say(words, now),
            None => self.say_goodbye(ending::SCRIPT_DONE, now),
        }
    }

    /// Writes down a turn that has begun. Nothing here understands speech, so only its length is known.
    pub(super) fn note_turn(&mut self, now: Time) {
        let (since, until) = match self.turn {
            Turn::Quiet => return,
            Turn::Speaking { since } => (since, now),
            Turn::Pausing { since, at } => (since, at),
        };
        self.turn = Turn::Quiet;
        let text = format!("(speech, {:.1} s)", until.seconds_since(since));
        self.add_contact_line(text, since);
    }

    pub(super) fn key_pressed(&mut self, digit: &str, now: Time) {
        if self.stream.is_none() {
            return;
        }
        if self.may_be_interrupted() {
            self.hush(now);
        }
        self.add_contact_line(format!("[dtmf {digit}]"), now);
        self.quiet_since = now;
        if self.ending.is_some() || self.opting_out.is_some() {
            return;
        }
        if let Some(words) = self.keys.get(digit) {
            self.say(*words, now);
        } else if self.order.keys.get(digit).is_some_and(|to| to == HANG_UP) {
            self.say_goodbye(ending::HANG_UP_KEY, now);
        } else if self.order.keys.get(digit).is_some_and(|to| to == OPT_OUT) {
            self.opt_out(now);
        }
    }

    /// Reports that the contact wants no more calls, and waits until that counts before it is confirmed.
    fn opt_out(&mut self, now: Time) {
        if self.is_speaking() {
            self.hush(now);
        }
        self.opting_out = Some(now);
        self.report(VoiceEvent::OptedOut {
            at: now,
            by: OptOut::Key,
        });
    }

    /// The gateway has it: no call from now on. What the agent says last confirms it.
    pub(super) fn opted_out(&mut self, now: Time) {
        if let (Some(_), Some(words)) = (self.opting_out.take(), self.confirmation) {
            self.goodbye = words;
            self.say_goodbye(ending::OPTED_OUT, now);
        }
    }

    /// The gateway does not answer: nothing is confirmed that may not have been done. The report is still repeated.
    pub(super) fn opt_out_unheard(&mut self, now: Time) {
        self.opting_out = None;
        self.say_goodbye(ending::OPTED_OUT, now);
    }

    pub(super) fn opt_out_due(&self) -> Option<(Time, Due)> {
        let since = self.opting_out?;
        Some((after(since, OPT_OUT_MS), Due::OptOutUnheard))
    }

    fn add_contact_line(&mut self, text: String, at: Time) {
        self.add_line(Line {
            speaker: Speaker::Contact,
            text,
            at,
        });
    }
}
