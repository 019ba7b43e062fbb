//! A call as its events tell it: the fold, the verdict, and when to look again.

use crate::event::{Event, Outcome, Status, Told};
use crate::record::Record;
use crate::time::Time;
use crate::voice::{EndedBy, Line, VoiceEvent};
use std::collections::BTreeMap;

/// How long the voice container's last word is waited for after Twilio's, and the other way round, in seconds.
const LAST_WORD_S: u64 = 10;
/// How long an answer to the dial may be missing before Twilio is asked, in seconds: longer than any dial timeout.
const DIAL_ANSWER_S: u64 = 40;
/// Grace after the longest ringing, and after the longest call, in seconds.
const RING_GRACE_S: u64 = 15;
const CALL_GRACE_S: u64 = 60;

/// A call folded from its events. The fold depends on the set of events alone, so it is commutative, associative and
/// idempotent: any order of arrival, any repetition and any concurrency give the same call. Of two events of one
/// name the earlier counts.
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

/// Where a call is, in our own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Persisted; Twilio may or may not have heard of it.
    Queued,
    Dialing,
    Ringing,
    InProgress,
    Ended,
}

impl Stage {
    pub fn word(self) -> &'static str {
        match self {
            Stage::Queued => "queued",
            Stage::Dialing => "dialing",
            Stage::Ringing => "ringing",
            Stage::InProgress => "in_progress",
            Stage::Ended => "ended",
        }
    }

    pub fn parse(word: &str) -> Option<Stage> {
        const ALL: [Stage; 5] = [
            Stage::Queued,
            Stage::Dialing,
            Stage::Ringing,
            Stage::InProgress,
            Stage::Ended,
        ];
        ALL.into_iter().find(|stage| stage.word() == word)
    }
}

impl Call {
    pub fn fold(events: impl IntoIterator<Item = Event>) -> Call {
        let mut call = Call::default();
        for event in events {
            call.add(event);
        }
        call
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

    /// All events in order of time, as a timeline shows them. Its lines are the transcript's: after the container's
    /// final account the single ones need not be stored any more.
    pub fn timeline(&self) -> Vec<Event> {
        let is_line = |event: &&Event| matches!(event, Event::Voice(VoiceEvent::Line { .. }));
        let others = self
            .events
            .values()
            .filter(|event| !is_line(event))
            .cloned();
        let lines = (0..).zip(self.transcript());
        let lines = lines.map(|(index, line)| Event::Voice(VoiceEvent::Line { index, line }));
        let mut events: Vec<Event> = others.chain(lines).collect();
        events.sort_by_key(|event| (event.at(), order(event)));
        events
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

    /// When Twilio first reported one of `statuses`, by callback or poll; by Twilio's own clock where it gave one.
    fn told(&self, statuses: &[Status]) -> Option<Time> {
        // Its clock shows whole seconds: nothing rings before it was dialled.
        let dialled = self.at("dialled").unwrap_or_default();
        self.provider()
            .filter(|(status, _)| statuses.contains(status))
            .map(|(_, event)| match event {
                Event::Provider {
                    happened: Some(at), ..
                } => *at,
                event => event.at(),
            })
            .min()
            .map(|at| at.max(dialled))
    }

    fn provider(&self) -> impl Iterator<Item = (Status, &Event)> {
        self.events.values().filter_map(|event| match event {
            Event::Provider { status, .. } => Some((*status, event)),
            _ => None,
        })
    }

    /// Twilio's last word, if it has spoken it. Not-connected endings outrank a `completed` that follows them,
    /// and a callback outranks a poll.
    fn provider_end(&self) -> Option<(Status, &Event)> {
        self.provider()
            .filter(|(status, _)| status.is_final())
            .max_by_key(|(status, event)| {
                let by_callback = matches!(
                    event,
                    Event::Provider {
                        told: Told::Callback,
                        ..
                    }
                );
                (*status, by_callback)
            })
    }

    pub fn dialled_at(&self) -> Option<Time> {
        self.at("dialled")
    }

    pub fn ringing_at(&self) -> Option<Time> {
        self.told(&[Status::Ringing])
    }

    pub fn answered_at(&self) -> Option<Time> {
        let heard = self.told(&[Status::InProgress]);
        let asked = self.at("twiml-fetched");
        let media = self.at("voice-media-started");
        heard.or(asked).or(media)
    }

    pub fn media_started_at(&self) -> Option<Time> {
        self.at("voice-media-started")
    }

    pub fn first_audio_at(&self) -> Option<Time> {
        self.at("voice-first-audio")
    }

    pub fn answered_by(&self) -> Option<&str> {
        match self.get("answered-by") {
            Some(Event::AnsweredBy { answered_by, .. }) => Some(answered_by),
            _ => None,
        }
    }

    pub fn dial_refused(&self) -> Option<&Event> {
        self.get("dial-refused")
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

    pub fn stage(&self) -> Stage {
        if self.has("ended") {
            Stage::Ended
        } else if self.answered_at().is_some() {
            Stage::InProgress
        } else if self.ringing_at().is_some() {
            Stage::Ringing
        } else if self.sid().is_some() {
            Stage::Dialing
        } else {
            Stage::Queued
        }
    }

    /// When the phone was put down, as well as anybody knows.
    pub fn hung_up_at(&self) -> Option<Time> {
        let provider = self.provider_end().map(|(status, _)| self.told(&[status]));
        provider
            .flatten()
            .or_else(|| self.at("voice-ended"))
            .or_else(|| self.ended().map(|verdict| verdict.at))
    }

    /// Seconds of conversation: Twilio's billing figure if it gave one, else from answer to end (or `now`). 0 before an answer.
    pub fn duration_s(&self, now: Time) -> f64 {
        let billed = self.provider().find_map(|(status, event)| match event {
            Event::Provider {
                duration_s: Some(seconds),
                ..
            } if status == Status::Completed => Some(*seconds as f64),
            _ => None,
        });
        match (billed, self.answered_at()) {
            (Some(seconds), _) => seconds,
            (None, Some(answered)) => self.hung_up_at().unwrap_or(now).seconds_since(answered),
            (None, None) => 0.0,
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

    /// Whether we had Twilio end the conversation, before either side did. To the container that looks as if the
    /// contact had hung up.
    fn hung_up_by_us(&self) -> bool {
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
        let deadline = if let Some((_, event)) = self.provider_end() {
            event.at().plus_s(LAST_WORD_S)
        } else if let Some(at) = self.at("voice-ended").or(self.at("voice-lost")) {
            at.plus_s(LAST_WORD_S)
        } else if let Some(answered) = self.answered_at() {
            answered.plus_s(record.limits.call_s + CALL_GRACE_S)
        } else if let Some(dialled) = self.at("dialled") {
            dialled.plus_s(record.ring_s + RING_GRACE_S)
        } else if let Some(unknown) = self.at("dial-unknown") {
            unknown.plus_s(LAST_WORD_S)
        } else {
            record.created_at.plus_s(DIAL_ANSWER_S)
        };
        Some(deadline)
    }
}

/// The order of events that carry the same time: the one of a call's life.
fn order(event: &Event) -> u8 {
    match event {
        Event::NoSeat { .. } | Event::Dialled { .. } | Event::DialRefused { .. } => 0,
        Event::DialUnknown { .. } | Event::AudioStarted { .. } | Event::AudioFailed { .. } => 1,
        Event::Provider { status, .. } if !status.is_final() => 2,
        Event::Voice(VoiceEvent::Ready { .. }) | Event::TwimlFetched { .. } => 3,
        Event::AnsweredBy { .. } => 4,
        Event::Voice(VoiceEvent::MediaStarted { .. }) => 5,
        Event::Voice(VoiceEvent::FirstAudio { .. }) => 6,
        Event::Voice(VoiceEvent::Line { .. }) => 7,
        Event::Voice(_) | Event::HangupAsked { .. } => 8,
        Event::Provider { .. } | Event::Recording { .. } => 9,
        Event::Lost { .. } => 10,
        Event::Ended { .. } => 11,
    }
}

#[cfg(test)]
mod tests;
