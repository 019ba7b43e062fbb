//! Faults on demand, beside those that a dialled number asks for: `PUT /_sim/faults`.

use crate::refusal::{Refusal, of_status};
use serde::{Deserialize, Serialize};

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
    /// Whether they come in the wrong order.
    pub shuffle: bool,
    pub delay_ms: u64,
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
