//! When what of a call happened.

use super::{Call, by_callback};
use crate::event::{Event, Status};
use crate::record::Record;
use crate::time::Time;

impl Call {
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

    pub fn dialled_at(&self) -> Option<Time> {
        self.at("dialled")
    }

    pub fn ringing_at(&self) -> Option<Time> {
        self.told(&[Status::Ringing]).or_else(|| self.at("arrived"))
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

    /// When the dial began.
    pub fn dial_began(&self, record: &Record) -> Time {
        self.at("fired").unwrap_or(record.created_at)
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
        let billed = self.provider().filter_map(|(status, event)| match event {
            Event::Provider {
                duration_s: Some(seconds),
                ..
            } if status == Status::Completed => Some((by_callback(event), *seconds)),
            _ => None,
        });
        let billed = billed.max().map(|(_, seconds)| seconds as f64);
        match (billed, self.answered_at()) {
            (Some(seconds), _) => seconds,
            (None, Some(answered)) => self.hung_up_at().unwrap_or(now).seconds_since(answered),
            (None, None) => 0.0,
        }
    }
}
