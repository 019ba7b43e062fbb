//! Faults on demand, beside those that a dialled number asks for: `PUT /_sim/faults` for every call,
//! `PUT /_sim/faults/{to}` for those to numbers that begin so.

use crate::refusal::{Refusal, of_status};
use crate::scenario::Scenario;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The faults that were asked for, and how many requests and calls are held up by them.
#[derive(Default)]
pub(crate) struct Asked {
    all: Faults,
    /// By the beginning of the numbers they are for.
    of: BTreeMap<String, Faults>,
    held: BTreeMap<String, usize>,
}

/// Everything that is to go wrong until it is changed or deleted.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Faults {
    /// `POST Calls.json`
    pub create: Option<HttpFault>,
    /// `GET Calls/{sid}.json` and `GET Calls.json`
    pub read: Option<HttpFault>,
    /// `POST Calls/{sid}.json`
    pub change: Option<HttpFault>,
    pub callbacks: CallbackFaults,
    /// The step before which calls stop until this is changed or deleted.
    pub hold: Option<Step>,
    /// What happens to the call, instead of what its number asks for.
    pub story: Option<Scenario>,
    /// How long it stays queued: its account has begun as many calls as it may at once.
    pub queue_ms: Option<u64>,
    /// From ringing to the answer, and from the answer until the person called hangs up.
    pub ring_ms: Option<u64>,
    pub call_ms: Option<u64>,
}

/// A step in a call's life on Twilio's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// A create request has come and nothing was done.
    Create,
    /// The call was placed and the create not answered; the phone goes on to ring.
    CreateAnswer,
    /// It is about to ring, nothing was told.
    Ring,
    /// It was picked up, which is not told yet.
    Answer,
    /// The answer was told, the TwiML not fetched.
    Twiml,
    /// The TwiML was fetched, the media socket not opened.
    Media,
    /// It is over, which is not told yet.
    End,
}

/// How a REST request goes wrong.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HttpFault {
    /// The answer's status; without one the request is answered as usual (after the delay).
    pub status: Option<u16>,
    /// Twilio's error code in the body; the usual one of the status if unset.
    pub code: Option<u32>,
    /// Whether the request is carried out all the same.
    pub place: bool,
    pub delay_ms: u64,
    /// Whether the connection is cut instead of answered, after the delay.
    pub cut: bool,
    /// How many requests it happens to; all if unset.
    pub times: Option<u32>,
}

/// What happens to status callbacks.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CallbackFaults {
    /// Events (`initiated`, `ringing`, `answered`, `completed`) that are never told.
    pub drop: Vec<String>,
    /// How many more times each is told.
    pub duplicate: u32,
    /// Whether those are sent all at once, with the first among them.
    pub at_once: bool,
    /// Whether they come in the wrong order.
    pub shuffle: bool,
    pub delay_ms: u64,
}

impl Asked {
    /// The faults that calls to this number meet.
    pub(crate) fn of(&mut self, to: &str) -> &mut Faults {
        let prefix = self.prefix(to);
        prefix
            .and_then(|prefix| self.of.get_mut(&prefix))
            .unwrap_or(&mut self.all)
    }

    /// The longest beginning of this number that has faults of its own.
    fn prefix(&self, to: &str) -> Option<String> {
        let prefixes = self.of.keys().filter(|prefix| to.starts_with(*prefix));
        prefixes.max_by_key(|prefix| prefix.len()).cloned()
    }

    /// Those of the numbers that begin so, or of all, and how many are held up by them.
    pub(crate) fn show(&self, to: Option<&str>) -> (Faults, usize) {
        let key = to.unwrap_or_default();
        let faults = to.map_or(Some(&self.all), |to| self.of.get(to));
        let held = self.held.get(key).copied().unwrap_or_default();
        (faults.cloned().unwrap_or_default(), held)
    }

    pub(crate) fn set(&mut self, to: Option<String>, faults: Faults) {
        match to {
            Some(to) => {
                self.of.insert(to, faults);
            }
            None => self.all = faults,
        }
    }

    pub(crate) fn forget(&mut self, to: Option<&str>) {
        match to {
            Some(to) => {
                self.of.remove(to);
            }
            None => *self = Self::default(),
        }
    }

    /// Whether a call to this number stops before `step`; counts it once when it does and once when it goes on.
    pub(crate) fn holds(&mut self, to: &str, step: Step, counted: &mut Option<String>) -> bool {
        let holds = self.of(to).hold == Some(step);
        if holds && counted.is_none() {
            let key = self.prefix(to).unwrap_or_default();
            *self.held.entry(key.clone()).or_default() += 1;
            *counted = Some(key);
        }
        if !holds && let Some(held) = counted.take().and_then(|key| self.held.get_mut(&key)) {
            *held = held.saturating_sub(1);
        }
        holds
    }
}

impl HttpFault {
    /// Takes one use of a fault.
    pub(crate) fn take(fault: &mut Option<Self>) -> Option<Self> {
        let times = fault.as_mut()?.times.as_mut();
        if let Some(left) = times {
            if *left == 0 {
                *fault = None;
                return None;
            }
            *left -= 1;
        }
        fault.clone()
    }

    pub(crate) fn refusal(&self) -> Option<Refusal> {
        let mut refusal = of_status(self.status?);
        refusal.code = self.code.unwrap_or(refusal.code);
        Some(refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_beginning_counts() {
        let mut asked = Asked::default();
        let busy = Faults {
            story: Some(Scenario::Busy),
            hold: Some(Step::End),
            ..Faults::default()
        };
        asked.set(Some("+1500".to_owned()), busy);
        asked.set(Some("+15009".to_owned()), Faults::default());
        assert_eq!(asked.of("+15001").story, Some(Scenario::Busy));
        assert_eq!(asked.of("+15009").story, None);
        assert_eq!(asked.of("+1").story, None);
        let mut counted = None;
        assert!(asked.holds("+15001", Step::End, &mut counted));
        assert!(asked.holds("+15001", Step::End, &mut counted));
        assert_eq!(asked.show(Some("+1500")).1, 1);
        asked.forget(Some("+1500"));
        assert!(!asked.holds("+15001", Step::End, &mut counted));
        assert_eq!(asked.show(Some("+1500")).1, 0);
    }

    #[test]
    fn a_fault_wears_off() {
        let mut fault = Some(HttpFault {
            status: Some(503),
            times: Some(2),
            ..HttpFault::default()
        });
        assert_eq!(
            HttpFault::take(&mut fault).unwrap().refusal().unwrap().code,
            20503
        );
        assert!(HttpFault::take(&mut fault).is_some());
        assert!(HttpFault::take(&mut fault).is_none());
        assert!(fault.is_none());
    }
}
