//! Active hours: the part of each week in which an agent may call, by the clocks of one time zone.

use crate::zone::{Weekday, Zone};
use crate::{Issue, Rule};

/// A span of the day, half-open, on some days of the week. It follows the clock on the wall: an hour the clocks skip
/// is never open, and an hour they show twice is open twice.
///
/// A span that ends before it starts reaches into the next morning and belongs to the day it starts on: Friday's
/// 22:00 to 06:00 covers Saturday 05:00, whether Saturday is listed or not. One that ends where it starts is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    zone: Zone,
    /// One bit a weekday, Monday the lowest.
    days: u8,
    /// Minutes after midnight; `end` may be 1440.
    start: u16,
    end: u16,
}

impl Hours {
    /// Reads an IANA zone, English weekdays (full or shortened to three letters or more; none means every day), and
    /// two times as `HH:MM`, of which the end may be `24:00`. Issues name `timezone`, `days`, `start` and `end`.
    pub fn parse(
        timezone: &str,
        days: &[String],
        start: &str,
        end: &str,
    ) -> Result<Hours, Vec<Issue>> {
        let zone = Zone::parse(timezone).ok_or_else(|| {
            issue(
                "timezone",
                "must be an IANA time zone, for example Europe/Berlin",
            )
        });
        let days = read_days(days).ok_or_else(|| {
            issue(
                "days",
                "must be days of the week, for example mon or Monday",
            )
        });
        let start = read_time(start)
            .filter(|minute| *minute < 1_440)
            .ok_or_else(|| issue("start", "must be a time of day, from 00:00 to 23:59"));
        let end = read_time(end)
            .ok_or_else(|| issue("end", "must be a time of day, from 00:00 to 24:00"));

        match (zone, days, start, end) {
            (Ok(zone), Ok(days), Ok(start), Ok(end)) => Ok(Hours {
                zone,
                days,
                start,
                end,
            }),
            (zone, days, start, end) => Err([zone.err(), days.err(), start.err(), end.err()]
                .into_iter()
                .flatten()
                .collect()),
        }
    }

    pub fn open_at(&self, unix_ms: u64) -> bool {
        let local = self.zone.local(unix_ms);
        let now = local.minute_of_day;
        if self.start <= self.end {
            self.on(local.weekday) && self.start <= now && now < self.end
        } else {
            let tonight = self.on(local.weekday) && self.start <= now;
            let since_yesterday = self.on(local.weekday.yesterday()) && now < self.end;
            tonight || since_yesterday
        }
    }

    /// The first instant from `unix_ms` on that is open; none if no hour of the week is.
    pub fn next_open(&self, unix_ms: u64) -> Option<u64> {
        if self.open_at(unix_ms) {
            return Some(unix_ms);
        }
        // The hours open where the clock reaches their start, or where a change moves it into them. Every listed day
        // comes within a week, and once more within two, should a change have skipped its hours the first time.
        let starts = (0..=14).map(|day| self.zone.coming(unix_ms, day, self.start));
        starts
            .chain(self.zone.next_change(unix_ms))
            .filter(|at| self.open_at(*at))
            .min()
    }

    fn on(&self, weekday: Weekday) -> bool {
        self.days & bit(weekday) != 0
    }
}

fn issue(field: &str, text: &str) -> Issue {
    Issue::new(field, Rule::Other(text.to_owned()))
}

fn bit(weekday: Weekday) -> u8 {
    1 << weekday as u8
}

fn read_days(days: &[String]) -> Option<u8> {
    if days.is_empty() {
        return Some(0b111_1111);
    }
    let mut bits = 0;
    for day in days {
        bits |= bit(read_day(day)?);
    }
    Some(bits)
}

/// Numbers are refused: some count from Sunday, others from Monday, and a guess would call people on the wrong day.
fn read_day(text: &str) -> Option<Weekday> {
    const NAMES: [&str; 7] = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    let text = text.trim().to_ascii_lowercase();
    let index = NAMES
        .iter()
        .position(|name| text.len() >= 3 && name.starts_with(&text))?;
    Some(Weekday::ALL[index])
}

/// Minutes after midnight of `HH:MM`, up to `24:00`; `9:00` is read as `09:00`.
fn read_time(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    if !(1..=2).contains(&hours.len()) || minutes.len() != 2 {
        return None;
    }
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hours) || !digits(minutes) {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let minute = hours * 60 + minutes;
    (minutes < 60 && minute <= 1_440).then_some(minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(timezone: &str, days: &str, span: &str) -> Result<Hours, Vec<Issue>> {
        let days: Vec<String> = days.split_whitespace().map(str::to_owned).collect();
        let (start, end) = span.split_once('-').unwrap();
        Hours::parse(timezone, &days, start, end)
    }

    fn instant(text: &str) -> u64 {
        let at: jiff::Timestamp = text.parse().unwrap();
        at.as_millisecond() as u64
    }

    /// `at` is open if `next` is the same instant, and otherwise closed until `next`; `-` for never.
    #[track_caller]
    fn check(timezone: &str, days: &str, span: &str, rows: &[(&str, &str)]) {
        let hours = hours(timezone, days, span).unwrap();
        for (at, next) in rows {
            let next = (*next != "-").then(|| instant(next));
            assert_eq!(hours.next_open(instant(at)), next, "{at}");
            assert_eq!(
                hours.open_at(instant(at)),
                next == Some(instant(at)),
                "{at}"
            );
        }
    }

    #[test]
    fn is_half_open_and_wraps_the_week() {
        let office = [
            ("2027-01-15T09:00:00-05:00", "2027-01-15T09:00:00-05:00"),
            ("2027-01-15T08:59:59.999-05:00", "2027-01-15T09:00:00-05:00"),
            (
                "2027-01-15T16:59:59.999-05:00",
                "2027-01-15T16:59:59.999-05:00",
            ),
            // A Friday, then a Sunday.
            ("2027-01-15T17:00:00-05:00", "2027-01-18T09:00:00-05:00"),
            ("2027-01-17T12:00:00-05:00", "2027-01-18T09:00:00-05:00"),
        ];
        check(
            "America/New_York",
            "mon tue wed thu fri",
            "09:00-17:00",
            &office,
        );
        let sunday = [("2027-01-17T10:00:00Z", "2027-01-24T09:00:00Z")];
        check("UTC", "Sunday", "09:00-10:00", &sunday);
    }

    #[test]
    fn is_closed_where_it_ends_as_it_starts_and_open_from_0_to_24() {
        for span in ["09:00-09:00", "00:00-00:00"] {
            check("UTC", "", span, &[("2027-01-15T09:00:00Z", "-")]);
        }
        let always = [
            ("2027-01-15T00:00:00Z", "2027-01-15T00:00:00Z"),
            ("2027-01-15T23:59:59Z", "2027-01-15T23:59:59Z"),
        ];
        check("UTC", "", "00:00-24:00", &always);
    }

    #[test]
    fn gives_the_night_to_the_day_it_starts_on() {
        // Friday 2027-01-15.
        let friday_night = [
            ("2027-01-15T05:00:00Z", "2027-01-15T22:00:00Z"),
            ("2027-01-15T23:00:00Z", "2027-01-15T23:00:00Z"),
            ("2027-01-16T05:59:59Z", "2027-01-16T05:59:59Z"),
            ("2027-01-16T06:00:00Z", "2027-01-22T22:00:00Z"),
            ("2027-01-16T23:00:00Z", "2027-01-22T22:00:00Z"),
        ];
        check("UTC", "fri", "22:00-06:00", &friday_night);
        // Sunday's night reaches into Monday, over the end of the week.
        let sunday_night = [("2027-01-18T05:00:00Z", "2027-01-18T05:00:00Z")];
        check("UTC", "sun", "22:00-06:00", &sunday_night);
        check(
            "UTC",
            "",
            "22:00-00:00",
            &[("2027-01-15T00:00:00Z", "2027-01-15T22:00:00Z")],
        );
    }

    #[test]
    fn follows_the_clock_where_it_skips_an_hour() {
        // New York, Sunday 2027-03-14: 01:59 is followed by 03:00.
        let new_york = "America/New_York";
        let late = [("2027-03-14T01:59:00-05:00", "2027-03-14T03:00:00-04:00")];
        check(new_york, "", "02:30-05:00", &late);
        let skipped = [("2027-03-14T01:00:00-05:00", "2027-03-15T02:00:00-04:00")];
        check(new_york, "", "02:00-02:45", &skipped);
        let skipped_for_a_week = [("2027-03-07T12:00:00-05:00", "2027-03-21T02:00:00-04:00")];
        check(new_york, "sun", "02:00-02:45", &skipped_for_a_week);
        let night = [
            ("2027-03-14T05:59:00-04:00", "2027-03-14T05:59:00-04:00"),
            ("2027-03-14T06:00:00-04:00", "2027-03-20T22:00:00-04:00"),
        ];
        check(new_york, "sat", "22:00-06:00", &night);
        // London, the last Sunday of March; Lord Howe skips half an hour; Beirut and Santiago skip midnight.
        let london = [("2027-03-28T00:30:00Z", "2027-03-28T02:00:00+01:00")];
        check("Europe/London", "", "01:15-03:00", &london);
        let lord_howe = [("2027-10-03T01:59:00+10:30", "2027-10-03T02:30:00+11:00")];
        check("Australia/Lord_Howe", "", "02:10-03:00", &lord_howe);
        let beirut = [("2027-03-27T23:59:00+02:00", "2027-03-28T01:00:00+03:00")];
        check("Asia/Beirut", "sun", "00:00-24:00", &beirut);
        let santiago = [("2027-09-04T23:59:00-04:00", "2027-09-05T01:00:00-03:00")];
        check("America/Santiago", "sun", "00:00-24:00", &santiago);
    }

    #[test]
    fn follows_the_clock_where_it_repeats_an_hour() {
        // New York, Sunday 2027-11-07: 01:59 is followed by 01:00.
        let new_york = "America/New_York";
        let twice = [
            ("2027-11-07T00:00:00-04:00", "2027-11-07T01:30:00-04:00"),
            ("2027-11-07T01:45:00-04:00", "2027-11-07T01:45:00-04:00"),
            ("2027-11-07T01:15:00-05:00", "2027-11-07T01:30:00-05:00"),
            ("2027-11-07T02:00:00-05:00", "2027-11-08T01:30:00-05:00"),
        ];
        check(new_york, "", "01:30-02:00", &twice);
        let night_reopens = [
            ("2027-11-07T01:29:00-04:00", "2027-11-07T01:29:00-04:00"),
            ("2027-11-07T01:30:00-04:00", "2027-11-07T01:00:00-05:00"),
            ("2027-11-07T01:30:00-05:00", "2027-11-13T22:00:00-05:00"),
        ];
        check(new_york, "sat", "22:00-01:30", &night_reopens);
        // Lord Howe repeats half an hour; Santiago the last hour of Saturday, Berlin and Sydney the one after two.
        let lord_howe = [("2027-04-04T01:50:00+11:00", "2027-04-04T01:30:00+10:30")];
        check("Australia/Lord_Howe", "", "01:00-01:45", &lord_howe);
        let santiago = [("2027-04-03T23:15:00-04:00", "2027-04-03T23:30:00-04:00")];
        check("America/Santiago", "sat", "23:30-24:00", &santiago);
        let berlin = [("2027-10-31T02:59:00+02:00", "2027-10-31T02:00:00+01:00")];
        check("Europe/Berlin", "", "02:00-02:30", &berlin);
        let sydney = [("2027-04-04T02:45:00+11:00", "2027-04-04T02:00:00+10:00")];
        check("Australia/Sydney", "sun", "02:00-02:30", &sydney);
    }

    #[test]
    fn knows_zones_off_the_hour_and_without_summer() {
        let kolkata = [
            ("2027-07-01T03:29:00Z", "2027-07-01T03:30:00Z"),
            ("2027-07-01T12:30:00Z", "2027-07-02T03:30:00Z"),
        ];
        check("Asia/Kolkata", "", "09:00-18:00", &kolkata);
        check(
            "Asia/Kathmandu",
            "",
            "09:00-18:00",
            &[("2027-07-01T03:00:00Z", "2027-07-01T03:15:00Z")],
        );
        check(
            "America/Phoenix",
            "",
            "09:00-18:00",
            &[("2027-07-01T15:00:00Z", "2027-07-01T16:00:00Z")],
        );
        // Fourteen hours ahead: Friday's hours are over while London's Thursday is not.
        let kiritimati = [("2027-01-15T08:00:00Z", "2027-01-21T19:00:00Z")];
        check("Pacific/Kiritimati", "fri", "09:00-18:00", &kiritimati);
    }

    #[test]
    fn reads_what_people_write() {
        let plain = hours("Europe/Berlin", "mon tue sun", "09:00-17:30").unwrap();
        assert_eq!(
            hours("europe/berlin", "Monday TUES sunday mon", "9:00-17:30"),
            Ok(plain)
        );
    }

    #[test]
    fn names_every_field_that_is_wrong() {
        let fields = |timezone, days, span| -> Vec<String> {
            let issues = hours(timezone, days, span).unwrap_err();
            issues.into_iter().map(|issue| issue.field).collect()
        };
        assert_eq!(
            fields("Europe/Atlantis", "mon noday", "24:00-25:00"),
            ["timezone", "days", "start", "end"]
        );
        assert_eq!(fields("", "", "09:00-17:00"), ["timezone"]);
        for day in ["mo", "1", "mondays", "lundi"] {
            assert_eq!(fields("UTC", day, "09:00-17:00"), ["days"], "{day}");
        }
        for time in [
            "",
            "9",
            "9am",
            "09:0",
            "09:60",
            "24:01",
            "+9:00",
            "-1:00",
            "009:00",
            "09:00:00",
            "０９:00",
        ] {
            let span = format!("08:00-{time}");
            assert_eq!(
                hours("UTC", "", &span).unwrap_err()[0].field,
                "end",
                "{time}"
            );
        }
    }
}
