//! A call's events in the order of its life.

use super::Call;
use crate::event::Event;
use crate::voice::VoiceEvent;

impl Call {
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
}

/// The order of events that carry the same time: the one of a call's life.
fn order(event: &Event) -> u8 {
    match event {
        Event::Postponed { .. } | Event::Fired { .. } | Event::CancelAsked { .. } => 0,
        Event::GateClosed { .. }
        | Event::NoSeat { .. }
        | Event::Dialled { .. }
        | Event::DialRefused { .. } => 0,
        Event::Arrived { .. } => 0,
        Event::DialUnknown { .. } | Event::AudioStarted { .. } | Event::AudioFailed { .. } => 1,
        Event::Provider { status, .. } if !status.is_final() => 2,
        Event::Voice(VoiceEvent::Ready { .. }) | Event::TwimlFetched { .. } => 3,
        Event::Voice(VoiceEvent::Connected { .. }) => 4,
        Event::CrmAsked { .. } => 5,
        Event::AnsweredBy { .. } => 4,
        Event::Voice(VoiceEvent::MediaStarted { .. }) => 5,
        Event::Voice(VoiceEvent::FirstAudio { .. }) => 6,
        Event::Voice(VoiceEvent::Line { .. }) => 7,
        Event::Voice(_) | Event::HangupAsked { .. } => 8,
        Event::MessageStarted { .. } | Event::MessageLeft { .. } => 8,
        Event::Provider { .. } | Event::Recording { .. } => 9,
        Event::Lost { .. } => 10,
        Event::Ended { .. } => 11,
        Event::NextAttempt { .. } | Event::ChainEnded { .. } => 12,
        Event::Analysis { .. } | Event::AnalysisFailed { .. } => 13,
    }
}
