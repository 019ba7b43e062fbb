//! When to look again at a call that has not ended.

use super::Call;
use crate::record::{QUEUE_S, Record};
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
        } else if let Some(at) = self.voice_over() {
            at.plus_s(LAST_WORD_S)
        } else if let Some(answered) = self.answered_at() {
            answered.plus_s(record.limits.call_s + CALL_GRACE_S)
        } else if let Some(rings) = self.rings_since() {
            rings.plus_s(record.ring_s + RING_GRACE_S)
        } else if let Some(arrived) = self.at("arrived") {
            arrived.plus_s(record.limits.connect_s + record.ring_s + RING_GRACE_S)
        } else if let Some(unknown) = self.at("dial-unknown") {
            unknown.plus_s(LAST_WORD_S)
        } else {
            self.dial_began(record).plus_s(DIAL_ANSWER_S)
        };
        Some(deadline)
    }

    /// Until when a call stays that Twilio, asked at its deadline, says is live: one in Twilio's queue is left there.
    pub fn patience(&self, record: &Record) -> Option<Time> {
        let deadline = self.deadline(record)?;
        let accepted = self.at("dialled").or(self.first_heard());
        let queued = self.has("polled-queued")
            && self.ringing().is_none()
            && self.answered_at().is_none()
            && !self.provider_ended();
        Some(match accepted.filter(|_| queued) {
            Some(accepted) => deadline.max(accepted.plus_s(QUEUE_S)),
            None => deadline,
        })
    }

    /// When the voice of the conversation stopped. One lost before anybody answered is none: another takes its place.
    fn voice_over(&self) -> Option<Time> {
        let over = self.at("voice-ended").or(self.at("voice-lost"))?;
        if self.has("arrived") {
            return Some(over);
        }
        let talks = self.media_started_at().or(self.answered_at())?;
        (over >= talks).then_some(over)
    }

    /// Since when it rings, as well as anybody knows: Twilio's `initiated` says that it has left the queue.
    fn rings_since(&self) -> Option<Time> {
        let initiated = self.at("provider-initiated");
        let began = self.ringing().or(initiated);
        began.or(self.at("dialled")).or(self.first_heard())
    }

    /// When we learned that it rings.
    fn ringing(&self) -> Option<Time> {
        let told = [self.at("provider-ringing"), self.at("polled-ringing")];
        told.into_iter().flatten().min()
    }

    /// When Twilio first told of it.
    fn first_heard(&self) -> Option<Time> {
        self.provider().map(|(_, event)| event.at()).min()
    }
}
