//! When to look again at a call that has not ended.

use super::Call;
use crate::record::Record;
use crate::time::Time;

/// How long the voice container's last word is waited for after Twilio's, and the other way round, in seconds.
pub(super) const LAST_WORD_S: u64 = 10;
/// How long an answer to the dial may be missing before Twilio is asked, in seconds: longer than any dial timeout.
pub const DIAL_ANSWER_S: u64 = 40;
/// How long speaking a message to a mailbox may take, in seconds.
const MESSAGE_S: u64 = 120;
/// Grace after the longest ringing, and after the longest call, in seconds.
const RING_GRACE_S: u64 = 15;
const CALL_GRACE_S: u64 = 60;

impl Call {
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
