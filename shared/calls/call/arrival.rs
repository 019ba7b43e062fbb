//! Calls that were not dialled: a dialler brought them in, or somebody chats. The voice's word is the last one.

use super::{Call, Verdict};
use crate::crm::Fetched;
use crate::event::{Event, Outcome};
use crate::time::Time;
use crate::voice::{EndedBy, VoiceEvent};
use serde_json::{Map, Value};

impl Call {
    /// The fields of the dialler's first frame and when it came, if it has.
    pub fn connected(&self) -> Option<(&Map<String, Value>, Time)> {
        match self.get("voice-connected") {
            Some(Event::Voice(VoiceEvent::Connected { variables, at })) => Some((variables, *at)),
            _ => None,
        }
    }

    /// What the agent's CRM said of a call that came in.
    pub fn fetched(&self) -> Option<&Fetched> {
        match self.get("crm-asked") {
            Some(Event::CrmAsked { fetched, .. }) => Some(fetched),
            _ => None,
        }
    }

    pub(super) fn verdict_of_arrival(&self, now: Time) -> Option<Verdict> {
        let (outcome, reason, by) = match (self.get("voice-ended"), self.get("lost")) {
            _ if self.hung_up_by_us() => {
                let by = EndedBy::Gateway;
                (Outcome::Completed, "hangup_requested", by)
            }
            (Some(Event::Voice(VoiceEvent::Ended { by, reason, .. })), _) => {
                let outcome = match by {
                    EndedBy::Error => Outcome::Failed,
                    EndedBy::Contact if self.answered_at().is_none() => Outcome::Canceled,
                    _ => Outcome::Completed,
                };
                (outcome, reason.as_str(), *by)
            }
            _ if self.has("voice-lost") => (Outcome::Failed, "voice_lost", EndedBy::Error),
            _ if self.has("audio-failed") => (Outcome::Failed, "voice_not_started", EndedBy::Error),
            (_, Some(Event::Lost { evidence, .. })) => {
                (Outcome::Lost, evidence.as_str(), EndedBy::Error)
            }
            _ => return None,
        };
        Some(Verdict {
            at: now,
            outcome,
            reason: reason.to_owned(),
            by: Some(by),
        })
    }
}
