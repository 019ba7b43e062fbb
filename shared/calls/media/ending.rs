//! How a conversation ends: with a goodbye, at once, or not in order at all.

use super::framing::Framing;
use super::{Due, Output, Session, Stream, Turn, after};
use crate::socket::{Close, NORMAL};
use crate::time::Time;
use crate::voice::{EndedBy, VoiceEvent};

/// How long the gateway has to say that it ended a call whose socket broke.
pub(super) const BROKEN_MS: u64 = 1000;
/// How long a goodbye may take beyond its own length.
const GOODBYE_MS: u64 = 5000;

/// The verdict's word for a call that was handed over.
pub const TRANSFERRED: &str = "transferred";

type Why = (EndedBy, &'static str);
pub(super) const SCRIPT_DONE: Why = (EndedBy::Agent, "agent_ended");
pub(super) const HANG_UP_KEY: Why = (EndedBy::Agent, "hangup_key");
pub(super) const OPTED_OUT: Why = (EndedBy::Agent, "opted_out");
pub(super) const SILENCE: Why = (EndedBy::Timeout, "silence");
const HUNG_UP: Why = (EndedBy::Contact, "contact_hung_up");
const BROKE: Why = (EndedBy::Error, "socket_broke");
pub(super) const CALL_LIMIT: Why = (EndedBy::Timeout, "max_duration");

/// The goodbye is being said.
#[derive(Debug)]
pub(super) struct Ending {
    why: Why,
    since: Time,
}

impl Session {
    /// Says goodbye, then ends the call for this reason.
    pub(super) fn say_goodbye(&mut self, why: Why, now: Time) {
        self.ending = Some(Ending { why, since: now });
        if self.is_speaking() {
            self.hush(now);
        }
        self.say(self.goodbye, now);
    }

    pub(super) fn ending_due(&self, stream: &Stream) -> Option<(Time, Due)> {
        let goodbye = self.length_ms(self.goodbye);
        if let Some(ending) = &self.ending {
            let late = after(ending.since, goodbye + GOODBYE_MS);
            return Some((late, Due::GoodbyeTookTooLong));
        }
        // The goodbye belongs to the call, so it begins early enough to end with it.
        let limit = self.order.limits.call_s.saturating_mul(1000);
        let last_words = after(stream.started, limit - goodbye.min(limit / 2));
        let quiet = matches!(self.turn, Turn::Quiet) && !self.is_speaking();
        let silence = self.quiet_since.plus_s(self.order.limits.silence_s);
        if quiet && silence < last_words {
            Some((silence, Due::Silence))
        } else {
            Some((last_words, Due::CallLimit))
        }
    }

    pub(super) fn end_as_planned(&mut self, now: Time) {
        let why = self.ending.as_ref().map_or(SCRIPT_DONE, |e| e.why);
        self.cut_line(now);
        if why == SCRIPT_DONE && self.transfer() {
            return self.close((EndedBy::Agent, TRANSFERRED), NORMAL, now);
        }
        self.end(why, now);
    }

    /// Hands the call over, if the agent does that after its script and the other side can; false if not.
    fn transfer(&mut self) -> bool {
        let (Framing::Dialler(dialler), Some(to)) = (&self.framing, &self.order.transfer_to) else {
            return false;
        };
        let frames = [dialler.media_stop(), dialler.transfer(to)];
        self.outputs.extend(frames.map(Output::Send));
        true
    }

    pub(super) fn contact_hung_up(&mut self, now: Time) {
        self.cut_line(now);
        self.close(HUNG_UP, NORMAL, now);
    }

    /// Twilio says goodbye with code 1000; a dialler with any close message at all.
    pub(super) fn socket_closed(&mut self, code: Option<u16>, now: Time) {
        match (&self.framing, code) {
            (Framing::Twilio { .. }, Some(1000)) | (Framing::Dialler(_), Some(_)) => {
                self.contact_hung_up(now);
            }
            (Framing::Twilio { .. }, _) => self.socket_broke(now),
            (Framing::Dialler(_), None) => {
                self.cut_line(now);
                self.close(BROKE, NORMAL, now);
            }
        }
    }

    /// Without a word from Twilio: if the gateway did not end the call just then, it is lost.
    fn socket_broke(&mut self, now: Time) {
        self.cut_line(now);
        self.broken = self.broken.or(Some(now));
    }

    pub(super) fn stop(&mut self, now: Time) {
        self.hush(now);
        self.end((EndedBy::Gateway, "stopped"), now);
    }

    pub(super) fn fail(&mut self, reason: &'static str, now: Time) {
        self.hush(now);
        self.end((EndedBy::Error, reason), now);
    }

    fn end(&mut self, why: Why, now: Time) {
        let message = match why.0 {
            EndedBy::Agent => "Call ended by bot",
            EndedBy::Contact => "Call ended by customer",
            EndedBy::Timeout => "Call ended: silence or time limit",
            EndedBy::Gateway => "Call ended by the platform",
            EndedBy::Error => "Call ended by an error",
        };
        self.end_with(why, message, NORMAL, now);
    }

    /// Ends a call from this side: `message` tells the other one why.
    pub(super) fn end_with(&mut self, why: Why, message: &str, close: Close, now: Time) {
        let farewell = self.framing.farewell(message);
        self.outputs.extend(farewell.into_iter().map(Output::Send));
        self.close(why, close, now);
    }

    fn close(&mut self, (by, reason): Why, close: Close, now: Time) {
        self.note_turn(now);
        self.report(VoiceEvent::Ended {
            at: now,
            by,
            reason: reason.to_owned(),
            transcript: self.transcript.clone(),
        });
        self.outputs.push_back(Output::Close(close));
        self.over = true;
    }

    pub(super) fn lose(&mut self, cause: &str, now: Time) {
        self.cut_line(now);
        self.note_turn(now);
        self.report(VoiceEvent::Lost {
            at: now,
            cause: cause.to_owned(),
        });
        self.outputs.push_back(Output::Close(NORMAL));
        self.over = true;
    }
}
