//! How a call ended, and when to look again at one that has not.

use super::{CANCELED_BEFORE_DIAL, Call, Verdict};
use crate::event::{Event, Outcome, Status};
use crate::record::Record;
use crate::time::Time;
use crate::voice::{EndedBy, VoiceEvent};

/// How long the voice container's last word is waited for after Twilio's, and the other way round, in seconds.
const LAST_WORD_S: u64 = 10;
/// How long an answer to the dial may be missing before Twilio is asked, in seconds: longer than any dial timeout.
pub const DIAL_ANSWER_S: u64 = 40;
/// How long speaking a message to a mailbox may take, in seconds.
const MESSAGE_S: u64 = 120;
/// Grace after the longest ringing, and after the longest call, in seconds.
const RING_GRACE_S: u64 = 15;
const CALL_GRACE_S: u64 = 60;

impl Call {
    /// How the call ended, if the facts at `now` suffice to say so.
    pub fn verdict(&self, now: Time) -> Option<Verdict> {
        let verdict = |outcome, reason: &str, by| {
            Some(Verdict {
                at: now,
                outcome,
                reason: reason.to_owned(),
                by,
            })
        };
        if self.has("no-seat") {
            return verdict(Outcome::Refused, "no_seat", None);
        }
        if self.has("arrived") {
            return self.verdict_of_arrival(now);
        }
        if let Some(Event::GateClosed { reason, .. }) = self.get("gate-closed") {
            return verdict(Outcome::Refused, reason, None);
        }
        // An attempt that was dialled ends as it ends; asking to cancel it only stops the chain.
        if self.has("cancel-asked") && !self.has("fired") && !self.dialled_or_heard_of() {
            return verdict(
                Outcome::Canceled,
                CANCELED_BEFORE_DIAL,
                Some(EndedBy::Gateway),
            );
        }
        if let Some(Event::DialRefused { code, status, .. }) = self.get("dial-refused") {
            let code = code.unwrap_or(u32::from(*status));
            return verdict(Outcome::Failed, &format!("provider_refused_{code}"), None);
        }
        let Some((status, event)) = self.provider_end() else {
            return match self.get("lost") {
                Some(Event::Lost { evidence, .. }) => {
                    verdict(Outcome::Lost, evidence, Some(EndedBy::Error))
                }
                _ => None,
            };
        };
        match status {
            Status::Busy => verdict(Outcome::Busy, "busy", None),
            Status::NoAnswer => verdict(Outcome::NoAnswer, "no_answer", None),
            Status::Canceled => verdict(Outcome::Canceled, "canceled", Some(EndedBy::Gateway)),
            Status::Failed => {
                let reason = match event {
                    Event::Provider {
                        error: Some(code), ..
                    } => format!("provider_failed_{code}"),
                    Event::Provider {
                        sip: Some(code), ..
                    } => format!("sip_{code}"),
                    _ => "provider_failed".to_owned(),
                };
                verdict(Outcome::Failed, &reason, Some(EndedBy::Error))
            }
            _ => self.verdict_of_conversation(event.at(), now),
        }
    }

    /// The verdict on a call that was answered and has ended: Twilio's word is in, the container's may be missing.
    fn verdict_of_conversation(&self, completed: Time, now: Time) -> Option<Verdict> {
        let over = now >= completed.plus_s(LAST_WORD_S);
        let (outcome, reason, by) = match (self.get("voice-ended"), self.get("voice-lost")) {
            _ if self.machine() && self.has("message-started") => {
                let reason = match self.has("message-left") {
                    true => "message_left",
                    false => "message_cut_short",
                };
                (Outcome::Voicemail, reason.to_owned(), Some(EndedBy::Agent))
            }
            _ if self.hung_up_by_us() => match self.machine() {
                true => (
                    Outcome::Voicemail,
                    "machine".to_owned(),
                    Some(EndedBy::Agent),
                ),
                false => (
                    Outcome::Completed,
                    "hangup_requested".to_owned(),
                    Some(EndedBy::Gateway),
                ),
            },
            (Some(Event::Voice(VoiceEvent::Ended { by, reason, .. })), _) => {
                let outcome = match by {
                    EndedBy::Error => Outcome::Failed,
                    _ if self.machine() => Outcome::Voicemail,
                    _ => Outcome::Completed,
                };
                (outcome, reason.clone(), Some(*by))
            }
            (_, Some(_)) => (
                Outcome::Failed,
                "voice_lost".to_owned(),
                Some(EndedBy::Error),
            ),
            _ if self.has("audio-failed") => (
                Outcome::Failed,
                "voice_not_started".to_owned(),
                Some(EndedBy::Error),
            ),
            _ if !over => return None,
            _ if self.has("voice-media-started") => (
                Outcome::Failed,
                "voice_silent".to_owned(),
                Some(EndedBy::Error),
            ),
            _ => (
                Outcome::Failed,
                "media_never_started".to_owned(),
                Some(EndedBy::Error),
            ),
        };
        Some(Verdict {
            at: now,
            outcome,
            reason,
            by,
        })
    }

    fn dialled_or_heard_of(&self) -> bool {
        const DIALLED: [&str; 3] = ["dialled", "dial-unknown", "dial-refused"];
        self.sid().is_some() || DIALLED.iter().any(|name| self.has(name))
    }

    /// Whether we had Twilio end the conversation, before either side did. To the container that looks as if the
    /// contact had hung up.
    pub(super) fn hung_up_by_us(&self) -> bool {
        match (self.at("hangup-asked"), self.at("voice-ended")) {
            (Some(asked), Some(ended)) => asked <= ended,
            (asked, None) => asked.is_some(),
            (None, Some(_)) => false,
        }
    }

    /// Whether Twilio heard a machine: a mailbox or a fax. `unknown` is never taken for one.
    pub fn machine(&self) -> bool {
        self.answered_by()
            .is_some_and(|by| by.starts_with("machine") || by == "fax")
    }

    /// When somebody must look at the call again if nothing more is heard; None once it has ended.
    pub fn deadline(&self, record: &Record) -> Option<Time> {
        if self.has("ended") {
            return None;
        }
        if self.waits(record) {
            return record.schedule.map(|plan| plan.earliest_at);
        }
        let deadline = if let Some((_, event)) = self.provider_end() {
            event.at().plus_s(LAST_WORD_S)
        } else if let Some(at) = self.at("message-started") {
            at.plus_s(MESSAGE_S)
        } else if let Some(at) = self.at("voice-ended").or(self.at("voice-lost")) {
            at.plus_s(LAST_WORD_S)
        } else if let Some(answered) = self.answered_at() {
            answered.plus_s(record.limits.call_s + CALL_GRACE_S)
        } else if let Some(dialled) = self.at("dialled") {
            dialled.plus_s(record.ring_s + RING_GRACE_S)
        } else if let Some(arrived) = self.at("arrived") {
            arrived.plus_s(record.limits.connect_s + record.ring_s + RING_GRACE_S)
        } else if let Some(heard) = self.provider().map(|(_, event)| event.at()).max() {
            // Of an unclear dial that rings after all.
            heard.plus_s(record.ring_s + RING_GRACE_S)
        } else if let Some(unknown) = self.at("dial-unknown") {
            unknown.plus_s(LAST_WORD_S)
        } else {
            self.dial_began(record).plus_s(DIAL_ANSWER_S)
        };
        Some(deadline)
    }
}
