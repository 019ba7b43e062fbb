//! Whom an organization may call, when, and how often: its own rules, and the safe ones that hold where it sets none.

use crate::config::{Agent, Organization};
use crate::time::Time;
use serde::{Deserialize, Serialize};
use validation::region::Region;
use validation::window::Window;
use validation::zone::Zone;
use validation::{Issue, Phone};

/// Dial attempts to one number within 24 hours, where nothing else is set: what Florida's telephone solicitation act
/// and the laws made after it allow.
pub const ATTEMPTS: u32 = 3;

/// The day over which attempts are counted, in seconds.
pub const DAY_S: u64 = 86_400;

/// Hours in which people may be called, by their own clocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallingWindow {
    /// `mon` … `sun`; empty means every day.
    #[serde(default)]
    pub days: Vec<String>,
    /// `HH:MM`.
    pub start: String,
    /// `HH:MM`, exclusive, up to `24:00`.
    pub end: String,
}

impl Default for CallingWindow {
    /// 08:00 to 21:00, every day: the hours of 47 CFR 64.1200(c)(1), which few countries exceed.
    fn default() -> CallingWindow {
        CallingWindow {
            days: Vec::new(),
            start: "08:00".to_owned(),
            end: "21:00".to_owned(),
        }
    }
}

impl CallingWindow {
    pub fn in_zones(&self, zones: &[Zone]) -> Result<Window, Vec<Issue>> {
        Window::parse(zones, &self.days, &self.start, &self.end)
    }

    /// `08:00 to 21:00`, with the days if not every day.
    pub fn text(&self) -> String {
        let CallingWindow { days, start, end } = self;
        match days.is_empty() {
            true => format!("{start} to {end}"),
            false => format!("{start} to {end} on {}", days.join(", ")),
        }
    }

    /// Whether it is open at some time of day that the default is not.
    fn is_loose(&self) -> bool {
        let Some(utc) = Zone::parse("UTC") else {
            return true;
        };
        let open = |window: &CallingWindow, minute: u64| {
            let within = window.in_zones(&[utc]);
            within.is_ok_and(|window| window.open_at(Time(minute * 60_000).0))
        };
        let usual = CallingWindow::default();
        // A week of quarters of an hour, from a Thursday on, and the last minute before each: spans may end anywhere.
        let mut minutes = (0..7 * 96).flat_map(|quarter| [quarter * 15, quarter * 15 + 14]);
        minutes.any(|minute| open(self, minute) && !open(&usual, minute))
    }
}

/// The usual window, for the stored form.
pub fn usual_window() -> Option<CallingWindow> {
    Some(CallingWindow::default())
}

/// The usual cap, for the stored form.
pub fn usual_attempts() -> Option<u32> {
    Some(ATTEMPTS)
}

/// No list: the organization's own countries.
pub fn own_countries() -> Option<Vec<String>> {
    Some(Vec::new())
}

impl Organization {
    /// The ISO codes of the countries it may call; `None`: all. Where nothing is set these are its own and those of the
    /// numbers it calls from.
    pub fn callable_countries(&self) -> Option<Vec<String>> {
        let listed = self.allowed_countries.as_ref()?;
        if !listed.is_empty() {
            return Some(listed.clone());
        }
        let mut own: Vec<String> = self.country.iter().cloned().collect();
        for number in &self.numbers {
            let region = Phone::parse(&number.number, None).ok();
            let countries = region.and_then(|phone| Region::of(&phone));
            let countries = countries.into_iter().flat_map(Region::countries);
            own.extend(countries.map(str::to_owned));
        }
        own.sort();
        own.dedup();
        Some(own)
    }

    /// The rules that are looser than the safe ones, by the names they are set by.
    pub fn loosened(&self) -> Vec<&'static str> {
        let window = self.calling_window.as_ref();
        let attempts = self.attempts_per_day;
        let countries = self.allowed_countries.as_ref();
        let foreign =
            |list: &Vec<String>| list.iter().any(|code| Some(code) != self.country.as_ref());
        [
            ("calling_window", window.is_none_or(CallingWindow::is_loose)),
            (
                "attempts_per_day",
                attempts.is_none_or(|most| most > ATTEMPTS),
            ),
            ("allowed_countries", countries.is_none_or(foreign)),
        ]
        .into_iter()
        .filter_map(|(name, loose)| loose.then_some(name))
        .collect()
    }
}

impl Agent {
    /// Likewise.
    pub fn loosened(&self) -> Vec<&'static str> {
        match &self.calling_window {
            Some(window) if window.is_loose() => vec!["calling_window"],
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn loose(days: &str, start: &str, end: &str) -> bool {
        let window = CallingWindow {
            days: days.split_whitespace().map(str::to_owned).collect(),
            start: start.to_owned(),
            end: end.to_owned(),
        };
        window.is_loose()
    }

    #[test]
    fn tells_looser_windows_from_narrower_ones() {
        assert!(!CallingWindow::default().is_loose());
        assert!(!loose("mon tue", "09:00", "17:00"));
        assert!(!loose("", "08:00", "21:00"));
        assert!(!loose("", "10:00", "10:00"));
        assert!(loose("", "07:59", "21:00"));
        assert!(loose("", "08:00", "21:01"));
        assert!(loose("", "00:00", "24:00"));
        assert!(loose("sun", "20:00", "02:00"));
    }

    #[test]
    fn an_organization_calls_its_own_countries_unless_it_says_otherwise() {
        let text = r#"{"v":1,"id":"a","name":"A","active":true,"seats":1,"country":"GB","default_telephony":null,
            "telephony":[],"numbers":[{"id":"x","number":"+14155550100","telephony":1}]}"#;
        let mut organization: Organization = serde_json::from_str(text).unwrap();
        assert_eq!(organization.attempts_per_day, Some(3));
        assert_eq!(organization.calling_window, Some(CallingWindow::default()));
        assert_eq!(organization.loosened(), Vec::<&str>::new());
        let own = organization.callable_countries();
        assert_eq!(own, Some(vec!["GB".to_owned(), "US".to_owned()]));
        organization.allowed_countries = Some(vec!["GB".to_owned()]);
        assert_eq!(organization.loosened(), Vec::<&str>::new());
        organization.allowed_countries = None;
        organization.attempts_per_day = Some(4);
        organization.calling_window = None;
        let all = ["calling_window", "attempts_per_day", "allowed_countries"];
        assert_eq!(organization.loosened(), all);
        assert_eq!(organization.callable_countries(), None);
    }
}
