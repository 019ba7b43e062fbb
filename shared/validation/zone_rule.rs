//! The yearly rule of a time zone, and as much of the calendar as it needs. All times are in minutes.

pub(crate) const DAY: i64 = 24 * 60;

/// When a zone's clocks are how far ahead of UTC, the same every year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    standard: i16,
    summer: Option<Summer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Summer {
    offset: i16,
    starts: Change,
    ends: Change,
}

/// A day as POSIX counts: month, week of it (5 is the last), weekday (0 is Sunday), and minutes after its midnight,
/// on the clock as it is before the change; these may lie beyond the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change(pub(crate) u8, pub(crate) u8, pub(crate) u8, pub(crate) i16);

pub(crate) const fn fixed(standard: i16) -> Rule {
    Rule {
        standard,
        summer: None,
    }
}

pub(crate) const fn summer(standard: i16, offset: i16, starts: Change, ends: Change) -> Rule {
    Rule {
        standard,
        summer: Some(Summer {
            offset,
            starts,
            ends,
        }),
    }
}

impl Rule {
    /// The spans of one offset in a year: when each ends, and the offset. Where the clocks change they do so from
    /// February to November (`tests/zones.rs` holds tzdb to it), so that the year may be the local or the UTC one,
    /// and the outer spans reach well into the years beside it.
    pub(crate) fn spans(self, year: i64) -> [(i64, i64); 3] {
        let standard = i64::from(self.standard);
        let Some(summer) = self.summer else {
            return [(i64::MAX, standard); 3];
        };
        let offset = i64::from(summer.offset);
        let starts = summer.starts.shown(year) - standard;
        let ends = summer.ends.shown(year) - offset;
        if starts < ends {
            [(starts, standard), (ends, offset), (i64::MAX, standard)]
        } else {
            [(ends, offset), (starts, standard), (i64::MAX, offset)]
        }
    }

    pub(crate) fn offset(self, utc: i64) -> i64 {
        self.spans(date(utc.div_euclid(DAY)).0)
            .into_iter()
            .find(|(until, _)| utc < *until)
            .map_or(i64::from(self.standard), |(_, offset)| offset)
    }
}

impl Change {
    /// The local minute, counted from 1970, at which the clocks are changed.
    fn shown(self, year: i64) -> i64 {
        let Change(month, week, weekday, minute) = self;
        let first = day_number(year, i64::from(month));
        let next_month = day_number(year, i64::from(month) + 1);
        // Day 0 was a Thursday, POSIX's 4.
        let to_weekday = (i64::from(weekday) - (first + 4)).rem_euclid(7);
        let mut day = first + to_weekday + (i64::from(week) - 1) * 7;
        if day >= next_month {
            day -= 7;
        }
        day * DAY + i64::from(minute)
    }
}

/// Days from 1970 to the first of a month; month 13 is the next January. Years are counted from March, which puts
/// the leap day last, and in eras of 400 years or 146,097 days, after which the calendar repeats.
fn day_number(year: i64, month: i64) -> i64 {
    let march_year = year + (month + 9) / 12 - 1;
    let era = march_year.div_euclid(400);
    let year_of_era = march_year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of the month of a day counted from 1970.
pub(crate) fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months_from_march + 2) / 5 + 1;
    let month = (months_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}
