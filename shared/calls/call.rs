//! A call as its events tell it: the fold, the verdict, and when to look again.

use crate::config::OnMachine;
use crate::event::{Event, FAX, Outcome, Status, Told, mailbox_listens};
use crate::record::Record;
use crate::seats::Full;
use crate::time::Time;
use crate::voice::{EndedBy, Line, VoiceEvent};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A call folded from its events. The fold depends on the set of events alone, so it is commutative, associative and
/// idempotent: any order of arrival, any repetition and any concurrency give the same call. Of two events of one
/// name the earlier counts.
///
/// Where facts of different names contradict each other the one of higher authority counts: Twilio's callback, then
/// Twilio's answer when asked, then the voice container, then the deadline. Of two ends that one of these tells, one
/// without a connection outranks `completed`: some carriers send that after it. A verdict once written stays whatever
/// comes later; later facts only add to it (what answered, the recording, the next attempt).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    events: BTreeMap<String, Event>,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub at: Time,
    pub outcome: Outcome,
    /// A word for the cause: `contact_hung_up`, `voice_lost`, `provider_refused_21217`.
    pub reason: String,
    pub by: Option<EndedBy>,
}

/// The reason of a call that was cancelled while it waited.
const CANCELED_BEFORE_DIAL: &str = "canceled_before_dial";

impl Call {
    pub fn fold(events: impl IntoIterator<Item = Event>) -> Call {
        let mut call = Call::default();
        for event in events {
            call.add(event);
        }
        call
    }

    /// The call as the request that placed it is answered, then and whenever it is repeated: with what the dial came to.
    pub fn as_placed(&self, record: &Record) -> Call {
        const DIAL: [&str; 4] = ["dialled", "dial-unknown", "audio-started", "audio-failed"];
        let mut placed = self.clone();
        // One for later is answered before its dial.
        let told = |name: &str| record.schedule.is_none() && DIAL.contains(&name);
        placed.events.retain(|name, _| told(name));
        placed
    }

    fn add(&mut self, event: Event) {
        let name = event.name();
        // Ties are broken by the stored text, so that no order of arrival shows.
        let earlier =
            |known: &Event| (known.at(), known.stored().1) <= (event.at(), event.stored().1);
        if !self.events.get(&name).is_some_and(earlier) {
            self.events.insert(name, event);
        }
    }

    fn get(&self, name: &str) -> Option<&Event> {
        self.events.get(name)
    }

    pub fn has(&self, name: &str) -> bool {
        self.events.contains_key(name)
    }

    /// When the event of this name happened.
    pub fn at(&self, name: &str) -> Option<Time> {
        self.get(name).map(Event::at)
    }

    /// Twilio's name for the call: from its answer to the dial, or from the first callback after an unclear one.
    pub fn sid(&self) -> Option<&str> {
        if let Some(Event::Dialled { sid, .. }) = self.get("dialled") {
            return Some(sid);
        }
        let told = self.events.values().filter_map(|event| match event {
            Event::Provider { at, sid, .. } | Event::TwimlFetched { at, sid } => Some((*at, sid)),
            _ => None,
        });
        told.min().map(|(_, sid)| sid.as_str())
    }

    fn provider(&self) -> impl Iterator<Item = (Status, &Event)> {
        self.events.values().filter_map(|event| match event {
            Event::Provider { status, .. } => Some((*status, event)),
            _ => None,
        })
    }

    /// Twilio's last word, if it has spoken it: the callback's, or else the answer's.
    fn provider_end(&self) -> Option<(Status, &Event)> {
        self.provider()
            .filter(|(status, _)| status.is_final())
            .max_by_key(|(status, event)| (by_callback(event), *status))
    }

    /// What answered. Whoever could tell counts before those who could not.
    pub fn answered_by(&self) -> Option<&str> {
        match self.get("answered-by").or(self.get("answered-by-unknown")) {
            Some(Event::AnsweredBy { answered_by, .. }) => Some(answered_by),
            _ => None,
        }
    }

    /// Whether the call waits for its time: nobody has begun to dial it, and nobody decided that it never will be.
    pub fn waits(&self, record: &Record) -> bool {
        const DECIDED: [&str; 6] = [
            "ended",
            "fired",
            "cancel-asked",
            "gate-closed",
            "dial-refused",
            "dial-unknown",
        ];
        record.schedule.is_some()
            && self.sid().is_none()
            && !DECIDED.iter().any(|name| self.has(name))
    }

    /// The problem's code for which a stored call was not dialled, and when that was found.
    pub fn gate_closed(&self) -> Option<(Time, &str)> {
        match self.get("gate-closed") {
            Some(Event::GateClosed { at, reason }) => Some((*at, reason)),
            _ => None,
        }
    }

    /// Whether a program wanted the call, or what follows it, to end.
    pub fn stopped(&self) -> bool {
        let by_program = matches!(
            self.get("hangup-asked"),
            Some(Event::HangupAsked {
                by: EndedBy::Gateway,
                ..
            })
        );
        by_program || self.has("cancel-asked")
    }

    /// Whether Twilio has spoken its last word.
    pub fn provider_ended(&self) -> bool {
        self.provider_end().is_some()
    }

    /// Whether it was cancelled while it waited.
    pub fn canceled_before_dial(&self) -> bool {
        self.ended()
            .is_some_and(|verdict| verdict.reason == CANCELED_BEFORE_DIAL)
    }

    /// The next attempt's id, and when it is due.
    pub fn next_attempt(&self) -> Option<(&str, Time)> {
        match self.get("next-attempt") {
            Some(Event::NextAttempt { call, due, .. }) => Some((call, *due)),
            _ => None,
        }
    }

    /// Whether a message was left on a mailbox; None where no mailbox was to get one.
    pub fn message_left(&self, record: &Record) -> Option<bool> {
        let mailbox = self.machine() && self.answered_by() != Some(FAX);
        (record.on_machine == OnMachine::LeaveMessage && mailbox).then(|| self.has("message-left"))
    }

    /// Whether a mailbox has had its say and listens.
    pub fn mailbox_listens(&self) -> bool {
        self.answered_by().is_some_and(mailbox_listens)
    }

    pub fn dial_refused(&self) -> Option<&Event> {
        self.get("dial-refused")
    }

    /// When the call was left without a seat, and by which limit.
    pub fn no_seat(&self) -> Option<(Time, Full)> {
        match self.get("no-seat")? {
            Event::NoSeat { at, full } => Some((*at, *full)),
            _ => None,
        }
    }

    /// Whether the call was refused before Twilio could have placed it, for a cause that may pass: no seat was free,
    /// Twilio took no more requests, or it could not be reached.
    pub fn never_tried(&self) -> bool {
        self.has("no-seat")
            || matches!(
                self.get("dial-refused"),
                Some(Event::DialRefused {
                    status: 429 | 503,
                    ..
                })
            )
    }

    /// The verdict, once there is one.
    pub fn ended(&self) -> Option<Verdict> {
        match self.get("ended") {
            Some(Event::Ended {
                at,
                outcome,
                reason,
                by,
            }) => Some(Verdict {
                at: *at,
                outcome: *outcome,
                reason: reason.clone(),
                by: *by,
            }),
            _ => None,
        }
    }

    /// What both sides said: the container's final account, or, until it comes, its lines so far.
    pub fn transcript(&self) -> Vec<Line> {
        if let Some(Event::Voice(VoiceEvent::Ended { transcript, .. })) = self.get("voice-ended") {
            return transcript.clone();
        }
        let mut lines: Vec<(u32, &Line)> = self
            .events
            .values()
            .filter_map(|event| match event {
                Event::Voice(VoiceEvent::Line { index, line }) => Some((*index, line)),
                _ => None,
            })
            .collect();
        lines.sort_by_key(|(index, _)| *index);
        lines.into_iter().map(|(_, line)| line.clone()).collect()
    }

    pub fn recording_url(&self) -> Option<&str> {
        match self.get("recording") {
            Some(Event::Recording { url, .. }) => Some(url),
            _ => None,
        }
    }

    /// When the analysis came in.
    pub fn analysed_at(&self) -> Option<Time> {
        self.at("analysis")
    }

    /// Whether the call's end was reported before its analysis came in.
    pub fn analysed_late(&self) -> bool {
        matches!(
            self.get("analysis"),
            Some(Event::Analysis { late: true, .. })
        )
    }

    /// The model's answers to the agent's questions, once they are in.
    pub fn analysis(&self) -> Option<&Map<String, Value>> {
        match self.get("analysis") {
            Some(Event::Analysis { result, .. }) => Some(result),
            _ => None,
        }
    }
}

/// Whether Twilio told it by itself.
fn by_callback(event: &Event) -> bool {
    matches!(
        event,
        Event::Provider {
            told: Told::Callback,
            ..
        }
    )
}

mod arrival;
mod deadline;
mod stage;
mod timeline;
mod times;
mod verdict;

pub use deadline::DIAL_ANSWER_S;
pub use stage::Stage;

#[cfg(test)]
mod tests;
