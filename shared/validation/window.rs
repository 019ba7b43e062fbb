//! A calling window: hours of the day by the clock of the person called, wherever that clock may be.

use crate::Issue;
use crate::hours::Hours;
use crate::zone::Zone;

/// How far ahead an opening is looked for: within two weeks every zone has opened on every listed day.
const AHEAD_MS: u64 = 15 * 86_400_000;

/// The same hours in one or more zones; open while they are open in all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window(Vec<Hours>);

impl Window {
    /// Reads days and times as [`Hours::parse`] does. Without a zone the window is never open.
    pub fn parse(
        zones: &[Zone],
        days: &[String],
        start: &str,
        end: &str,
    ) -> Result<Window, Vec<Issue>> {
        let hours = zones
            .iter()
            .map(|zone| Hours::parse(zone.name(), days, start, end));
        hours.collect::<Result<_, _>>().map(Window)
    }

    pub fn open_at(&self, unix_ms: u64) -> bool {
        !self.0.is_empty() && self.0.iter().all(|hours| hours.open_at(unix_ms))
    }

    /// The first instant from `unix_ms` on that is open; none if the zones are never open together.
    pub fn next_open(&self, unix_ms: u64) -> Option<u64> {
        let mut at = unix_ms;
        // No zone opens before the instant found for it, so that none together opens before the last of these.
        while at <= unix_ms.saturating_add(AHEAD_MS) {
            let each: Option<Vec<u64>> = self.0.iter().map(|hours| hours.next_open(at)).collect();
            let last = each?.into_iter().max()?;
            if last == at {
                return Some(at);
            }
            at = last;
        }
        None
    }
}
