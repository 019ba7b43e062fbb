//! How a call ended.

use super::deadline::LAST_WORD_S;
use super::{CANCELED_BEFORE_DIAL, Call, Verdict};
use crate::event::{Event, FAX, Outcome, Status};
use crate::time::Time;
use crate::voice::{EndedBy, VoiceEvent};

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
        if self.canceled_while_waiting() {
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
            // Nobody wanted that, so it was for want of a voice.
            Status::Canceled if self.has("voice-lost") && !self.has("hangup-asked") => {
                verdict(Outcome::Failed, "voice_lost", Some(EndedBy::Error))
            }
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
        let media = self.media_started_at();
        // Before the answer: then the voice that took its place may have talked.
        let replaced = |lost: Time| media.is_some_and(|media| lost < media);
        let (outcome, reason, by) = match (self.get("voice-ended"), self.at("voice-lost")) {
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
            (_, Some(lost)) if over || !replaced(lost) => (
                Outcome::Failed,
                "voice_lost".to_owned(),
                Some(EndedBy::Error),
            ),
            _ if self.has("audio-failed") && media.is_none() => (
                Outcome::Failed,
                "voice_not_started".to_owned(),
                Some(EndedBy::Error),
            ),
            _ if !over => return None,
            _ if media.is_some() => (
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

    /// Whether somebody cancelled it before it was dialled.
    pub fn canceled_while_waiting(&self) -> bool {
        self.has("cancel-asked") && !self.has("fired") && !self.dialled_or_heard_of()
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
            .is_some_and(|by| by.starts_with("machine") || by == FAX)
    }
}
