//! Points in time: milliseconds since 1970, shown as RFC 3339 in UTC.

use serde::{Deserialize, Serialize};
use validation::zone::Zone;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub u64);

impl Time {
    pub fn plus_s(self, seconds: u64) -> Time {
        Time(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    pub fn unix_s(self) -> u64 {
        self.0 / 1000
    }

    /// Seconds from `earlier` to here, to the millisecond; zero if `earlier` is later.
    pub fn seconds_since(self, earlier: Time) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / 1000.0
    }

    /// `2026-11-20T15:00:00+05:30`, by the clocks of a zone, to the second.
    pub fn rfc3339_in(self, zone: Zone) -> String {
        let offset_s = zone.local(self.0).offset_s;
        let shown = Time(self.0.saturating_add_signed(i64::from(offset_s) * 1000)).rfc3339();
        let sign = if offset_s < 0 { '-' } else { '+' };
        let minutes = offset_s.unsigned_abs() / 60;
        format!(
            "{}{sign}{:02}:{:02}",
            &shown[..19],
            minutes / 60,
            minutes % 60
        )
    }

    /// `2026-11-20T09:30:00Z`: the whole second.
    pub fn rfc3339_whole(self) -> String {
        format!("{}Z", &self.rfc3339()[..19])
    }

    /// `2026-11-20T09:30:00.125Z`
    pub fn rfc3339(self) -> String {
        let (year, month, day) = civil_from_days((self.0 / 86_400_000) as i64);
        let ms = self.0 % 86_400_000;
        format!(
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
            ms / 3_600_000,
            ms / 60_000 % 60,
            ms / 1000 % 60,
            ms % 1000
        )
    }

    /// Reads RFC 3339 from the year 1970 on: `2026-11-20T09:30:00Z`, with a fraction, with an offset.
    pub fn parse_rfc3339(text: &str) -> Option<Time> {
        let (date, clock) = text.split_at_checked(10)?;
        let two = |text: &str, from: usize, most: u64| {
            let digits = text.get(from..from + 2)?;
            let number: u64 = digits.parse().ok()?;
            (digits.bytes().all(|byte| byte.is_ascii_digit()) && number <= most).then_some(number)
        };
        let is = |text: &str, at: usize, marks: &[u8]| {
            text.as_bytes()
                .get(at)
                .is_some_and(|byte| marks.contains(byte))
        };
        let shaped = is(date, 4, b"-")
            && is(date, 7, b"-")
            && is(clock, 0, b"Tt ")
            && is(clock, 3, b":")
            && is(clock, 6, b":");
        if !shaped {
            return None;
        }
        let year = (two(date, 0, 99)? * 100 + two(date, 2, 99)?) as i64;
        let (month, day) = (two(date, 5, 12)? as i64, two(date, 8, 31)? as i64);
        let days = days_from_civil(year, month, day);
        // A day the month does not have comes back as another one.
        if civil_from_days(days) != (year, month, day) {
            return None;
        }
        let seconds = two(clock, 1, 23)? * 3600 + two(clock, 4, 59)? * 60 + two(clock, 7, 60)?;
        let rest = clock.get(9..)?;
        let (ms, zone) = match rest.strip_prefix('.') {
            None => (0, rest),
            Some(fraction) => {
                let end = fraction.find(|c: char| !c.is_ascii_digit())?;
                let (digits, zone) = fraction.split_at(end);
                let ms = format!("{digits:0<3}").get(..3)?.parse::<i64>().ok();
                (ms.filter(|_| !digits.is_empty())?, zone)
            }
        };
        let offset_minutes = match zone.as_bytes() {
            b"Z" | b"z" => 0,
            [sign @ (b'+' | b'-'), ..] if zone.len() == 6 && is(zone, 3, b":") => {
                let minutes = (two(zone, 1, 23)? * 60 + two(zone, 4, 59)?) as i64;
                if *sign == b'+' { minutes } else { -minutes }
            }
            _ => return None,
        };
        let ms = (days * 86_400 + seconds as i64 - offset_minutes * 60) * 1000 + ms;
        u64::try_from(ms).ok().map(Time)
    }

    /// Reads the form `Fri, 20 Nov 2026 09:30:00 +0000` of Twilio's timestamps (RFC 2822, always UTC).
    pub fn parse_rfc2822(text: &str) -> Option<Time> {
        const MONTHS: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let mut words = text.split_ascii_whitespace().skip(1);
        let day: i64 = words.next()?.parse().ok()?;
        let month = words.next()?;
        let month = MONTHS.iter().position(|name| *name == month)? as i64 + 1;
        let year: i64 = words.next()?.parse().ok()?;
        let mut clock = words
            .next()?
            .split(':')
            .map(|part| part.parse::<u64>().ok());
        let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
        if words.next()? != "+0000"
            || !(1..=31).contains(&day)
            || hour > 23
            || minute > 59
            || second > 60
        {
            return None;
        }
        let days = u64::try_from(days_from_civil(year, month, day)).ok()?;
        Some(Time(
            (days * 86_400 + hour * 3600 + minute * 60 + second) * 1000,
        ))
    }
}

/// Howard Hinnant's `civil_from_days`: days since 1970-01-01 to year, month, day.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, day)
}

/// The inverse of [`civil_from_days`].
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let yoe = year.rem_euclid(400);
    let doy = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    era * 146_097 + doe - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_rfc3339() {
        assert_eq!(Time(0).rfc3339(), "1970-01-01T00:00:00.000Z");
        assert_eq!(
            Time(1_795_167_000_125).rfc3339(),
            "2026-11-20T09:30:00.125Z"
        );
        assert_eq!(
            Time(1_795_167_000_125).rfc3339_whole(),
            "2026-11-20T09:30:00Z"
        );
        assert_eq!(Time(951_782_400_000).rfc3339(), "2000-02-29T00:00:00.000Z");
    }

    #[test]
    fn reads_rfc3339() {
        let reads = |text: &str| Time::parse_rfc3339(text).map(|time| time.0);
        assert_eq!(reads("2026-11-20T09:30:00Z"), Some(1_795_167_000_000));
        assert_eq!(reads("2026-11-20T09:30:00.125Z"), Some(1_795_167_000_125));
        assert_eq!(reads("2026-11-20t09:30:00.1z"), Some(1_795_167_000_100));
        assert_eq!(
            reads("2026-11-20 11:30:00.125999+02:00"),
            Some(1_795_167_000_125)
        );
        assert_eq!(reads("2026-11-20T04:00:00-05:30"), Some(1_795_167_000_000));
        assert_eq!(reads("2024-02-29T00:00:00Z"), Some(1_709_164_800_000));
        for text in [
            "",
            "2026-11-20",
            "2026-11-20T09:30:00",
            "2026-11-20T09:30Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-20T24:00:00Z",
            "2026-11-20T09:30:00.Z",
            "2026-11-20T09:30:00+2:00",
            "2026-11-20T09:30:00+02:00 ",
            "+026-11-20T09:30:00Z",
            "1969-12-31T23:59:59Z",
            "2026-11-2\u{e9}T09:30:00Z",
        ] {
            assert_eq!(reads(text), None, "{text}");
        }
    }

    #[test]
    fn reads_rfc2822() {
        assert_eq!(
            Time::parse_rfc2822("Fri, 20 Nov 2026 09:30:00 +0000"),
            Some(Time(1_795_167_000_000))
        );
        assert_eq!(Time::parse_rfc2822("soon"), None);
        assert_eq!(Time::parse_rfc2822("Fri, 20 Nov 2026 09:30:00 +0100"), None);
    }
}
