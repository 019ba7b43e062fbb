//! Points in time: milliseconds since 1970, shown as RFC 3339 in UTC.

use serde::{Deserialize, Serialize};

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
        assert_eq!(Time(951_782_400_000).rfc3339(), "2000-02-29T00:00:00.000Z");
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
