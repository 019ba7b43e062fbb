//! IANA time zones: what a zone's clocks show at an instant, and when they will next show a time.
//!
//! Ringdown asks about now and the days ahead, never about the past, so that a zone is its present rule alone
//! (an offset from UTC, perhaps a summer offset with its two changes a year) and all the names fit in a small table.
//! `tests/zones.rs` writes the table from tzdb 2026e and compares it with jiff.
//!
//! Accuracy: equal to tzdb 2026e from 2026-11-20 until 2038, every zone, every minute, but for one case.
//! - `Asia/Gaza` and `Asia/Hebron` are right until 2036-10-17T23:00Z. From that autumn on tzdb predicts that summer
//!   time is paused for Ramadan, which no yearly rule can say; those weeks are an hour off.
//! - `Africa/Casablanca` and `Africa/El_Aaiun` stay at UTC, as tzdb 2026e has them since 2026-09-20. Before, Morocco
//!   kept +01 but for each Ramadan; should it return to that, no yearly rule will follow it.
//! - Instants before 2026-11-20 are answered by the same rules, which for some zones were others then.
//! - `Factory`, tzdb's mark of a machine whose zone was never set, is no zone here.
//!
//! Cost, with the table and `hours.rs`: 16.8 kB of wasm after `wasm-opt -Oz` (8.3 kB gzipped), 11 kB of it the table.

use crate::zone_rule::{DAY, Rule, date};
use crate::zone_table::TABLE;

const MINUTE_MS: u64 = 60_000;

/// A time zone that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone {
    name: &'static str,
    rule: Rule,
}

/// What a zone's clocks and calendars show at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    pub weekday: Weekday,
    /// Minutes the clock shows past midnight, 0 to 1439.
    pub minute_of_day: u16,
    /// Seconds the clock is ahead of UTC.
    pub offset_s: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    pub const ALL: [Weekday; 7] = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
        Weekday::Saturday,
        Weekday::Sunday,
    ];

    pub fn yesterday(self) -> Weekday {
        Weekday::ALL[(self as usize + 6) % 7]
    }
}

impl Zone {
    pub const UTC: Zone = Zone {
        name: "UTC",
        rule: crate::zone_rule::fixed(0),
    };

    /// The zone of an IANA name or alias, in any case: `Asia/Kolkata`, `asia/calcutta`, `UTC`.
    pub fn parse(name: &str) -> Option<Zone> {
        let name = name.trim();
        TABLE.iter().find_map(|(rule, names)| {
            let name = names
                .split(' ')
                .find(|known| known.eq_ignore_ascii_case(name))?;
            Some(Zone { name, rule: *rule })
        })
    }

    /// The name as IANA spells it.
    pub fn name(self) -> &'static str {
        self.name
    }

    pub fn local(self, unix_ms: u64) -> Local {
        let utc = minutes(unix_ms);
        let offset = self.rule.offset(utc);
        let days = (utc + offset).div_euclid(DAY);
        let (year, month, day) = date(days);
        Local {
            year: year as i32,
            month: month as u8,
            day: day as u8,
            // 1970-01-01 was a Thursday.
            weekday: Weekday::ALL[(days + 3).rem_euclid(7) as usize],
            minute_of_day: (utc + offset).rem_euclid(DAY) as u16,
            offset_s: offset as i32 * 60,
        }
    }

    /// The first instant from `unix_ms` on when the clock shows `minute_of_day` of the local day `days_ahead` after
    /// today's, or later. A minute that a change of the clocks skips becomes the instant of the change; of a minute
    /// shown twice it is the first that is not yet past.
    pub fn coming(self, unix_ms: u64, days_ahead: u16, minute_of_day: u16) -> u64 {
        let now = minutes(unix_ms);
        let today = (now + self.rule.offset(now)).div_euclid(DAY);
        let day = today + i64::from(days_ahead);
        let shown = day * DAY + i64::from(minute_of_day);

        let mut since = now;
        let mut at = now;
        for (until, offset) in self.rule.spans(date(day).0) {
            at = since.max(shown - offset);
            if at < until {
                break;
            }
            since = since.max(until);
        }
        milliseconds(at).max(unix_ms)
    }

    /// The next time the clocks change; none where they never do.
    pub fn next_change(self, unix_ms: u64) -> Option<u64> {
        let now = minutes(unix_ms);
        let year = date(now.div_euclid(DAY)).0;
        [year, year + 1]
            .into_iter()
            .flat_map(|year| self.rule.spans(year))
            .map(|(until, _)| until)
            .find(|until| now < *until && *until < i64::MAX)
            .map(milliseconds)
    }
}

fn minutes(unix_ms: u64) -> i64 {
    (unix_ms / MINUTE_MS) as i64
}

/// `at` is never before 1970: both callers look ahead of an instant that is not.
fn milliseconds(at: i64) -> u64 {
    at.unsigned_abs().saturating_mul(MINUTE_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_names_and_aliases_in_any_case() {
        for (name, known) in [
            ("Asia/Kolkata", Some("Asia/Kolkata")),
            ("asia/calcutta", Some("Asia/Calcutta")),
            (" US/EASTERN ", Some("US/Eastern")),
            ("utc", Some("UTC")),
            ("Etc/gmt+5", Some("Etc/GMT+5")),
            (
                "America/Argentina/Buenos_Aires",
                Some("America/Argentina/Buenos_Aires"),
            ),
            (
                "Antarctica/DumontDUrville",
                Some("Antarctica/DumontDUrville"),
            ),
            ("", None),
            ("Factory", None),
            ("America", None),
            ("America/New York", None),
            ("Europe/Berlin Europe/Paris", None),
            ("Mars/Olympus", None),
            ("+05:30", None),
        ] {
            assert_eq!(Zone::parse(name).map(Zone::name), known, "{name}");
        }
    }

    #[test]
    fn shows_the_date_across_leap_days_and_years() {
        let utc = Zone::parse("UTC").unwrap();
        assert_eq!(utc, Zone::UTC);
        let auckland = Zone::parse("Pacific/Auckland").unwrap();
        for (zone, unix_s, expected) in [
            (utc, 0, (1970, 1, 1, Weekday::Thursday, 0)),
            (utc, 1_835_395_199, (2028, 2, 28, Weekday::Monday, 1_439)),
            (utc, 1_835_395_200, (2028, 2, 29, Weekday::Tuesday, 0)),
            (utc, 1_835_481_600, (2028, 3, 1, Weekday::Wednesday, 0)),
            (utc, 4_107_542_400, (2100, 3, 1, Weekday::Monday, 0)),
            // 2026-12-31T11:00Z: the new year is thirteen hours old where summer is.
            (auckland, 1_798_714_800, (2027, 1, 1, Weekday::Friday, 0)),
        ] {
            let local = zone.local(unix_s * 1_000);
            let shown = (
                local.year,
                local.month,
                local.day,
                local.weekday,
                local.minute_of_day,
            );
            assert_eq!(shown, expected, "{unix_s}");
        }
    }

    #[test]
    fn bears_any_instant() {
        for zone in ["UTC", "America/New_York", "Pacific/Kiritimati"] {
            let zone = Zone::parse(zone).unwrap();
            for unix_ms in [0, 1, u64::MAX] {
                zone.local(unix_ms);
                zone.next_change(unix_ms);
                assert!(zone.coming(unix_ms, 14, 1_439) >= unix_ms);
                // Midnight is past: the answer is now, to the millisecond.
                assert_eq!(zone.coming(unix_ms, 0, 0), unix_ms);
            }
        }
    }
}
