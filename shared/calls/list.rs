//! The list of an organization's calls: one short entry for each, numbered in the order they were placed; what a
//! program may ask of the list, and its cursor.

use crate::call::{Call, Stage};
use crate::event::Outcome;
use crate::id::CallId;
use crate::record::Record;
use crate::time::Time;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use validation::{Country, Fields, Issue, Phone, Rule, either, query};

/// The series of an organization that holds the entries.
pub const SERIES: &str = "calls";
/// The largest page, and the one of a request that names no limit.
pub const LARGEST: usize = 100;
const USUAL: usize = 20;
/// The longest filter, in characters: no stored value is longer.
const LONGEST: usize = 255;
/// The largest number a cursor may hold: the largest integer every host keeps exact.
const LAST: u64 = (1 << 53) - 1;
/// Calls are numbered a moment after their time is taken, so that neighbours may stand the other way round.
const DISORDER_S: u64 = 600;

/// What can be filtered by without reading the call itself. Written before the call exists, so that no call is missing
/// from the list; whether it came to exist, and under which number it is listed, its record says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub v: u32,
    pub id: String,
    pub created_at: Time,
    /// The agent's id.
    pub agent: String,
    pub to: String,
    /// `live` or `draft`.
    pub mode: String,
    pub external_id: Option<String>,
}

impl Entry {
    pub fn of(id: CallId, record: &Record) -> Entry {
        Entry {
            v: record.v,
            id: id.to_string(),
            created_at: record.created_at,
            agent: record.agent.id.clone(),
            to: record.to.clone(),
            mode: record.mode.clone(),
            external_id: record.external_id.clone(),
        }
    }

    /// Whether the call of this record is listed by this entry, the one of this number. An idempotency key sent twice
    /// at once enters its call twice; the record names the entry that counts.
    pub fn lists(&self, number: u64, record: &Record) -> bool {
        record.id == self.id && record.listed == number
    }
}

/// Which calls a program wants to see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    status: Option<Stage>,
    outcome: Option<Outcome>,
    agent: Option<String>,
    to: Option<String>,
    /// Of the person talked to, whoever called whom.
    number: Option<String>,
    mode: Option<String>,
    external_id: Option<String>,
    /// From this time on …
    created_from: Option<Time>,
    /// … and before this one.
    created_before: Option<Time>,
}

/// A request for a page of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub filter: Filter,
    /// At most so many calls.
    pub limit: usize,
    /// Entries of this number and older ones; None: from the newest on.
    pub upto: Option<u64>,
}

impl Asked {
    /// Reads the query of a request. `home` is the country whose national numbers are understood.
    pub fn read(query: &str, home: Option<Country>) -> Result<Asked, Vec<Issue>> {
        const NAMES: [&str; 11] = [
            "status",
            "outcome",
            "agent_id",
            "to",
            "number",
            "mode",
            "external_id",
            "created_from",
            "created_before",
            "limit",
            "cursor",
        ];
        let query = query::read(query)?;
        let mut fields = Fields::lenient(&query);
        for name in query.keys().filter(|name| !NAMES.contains(&name.as_str())) {
            // A filter that was misspelt would show every call.
            let shown: String = name.chars().take(LONGEST).collect();
            fields.refuse(&shown, Rule::Other("is no filter of this list".to_owned()));
        }
        let status = fields.word(
            "status",
            Stage::parse,
            &either(&Stage::ALL.map(Stage::word)),
        );
        let outcome = fields.word(
            "outcome",
            Outcome::parse,
            &either(&Outcome::ALL.map(Outcome::word)),
        );
        let agent = fields.text_up_to("agent_id", LONGEST);
        let to = phone(&mut fields, "to", home);
        let number = phone(&mut fields, "number", home);
        let mode = fields.word("mode", mode, "live or draft");
        let external_id = fields.text_up_to("external_id", LONGEST);
        let created_from = fields.word("created_from", time, TIME);
        let created_before = fields.word("created_before", time, TIME);
        let limit = fields.integer_within("limit", 1, LARGEST as i64);
        let upto = fields.word("cursor", read_cursor, "a cursor of this list");
        fields.done()?;
        Ok(Asked {
            filter: Filter {
                status,
                outcome,
                agent,
                to,
                number,
                mode,
                external_id,
                created_from,
                created_before,
            },
            limit: limit.map_or(USUAL, |limit| limit as usize),
            upto,
        })
    }
}

impl Filter {
    /// Whether every call is wanted.
    pub fn is_open(&self) -> bool {
        *self == Filter::default()
    }

    /// Whether the entry's call may be wanted, as far as the entry tells.
    pub fn may_want(&self, entry: &Entry) -> bool {
        let is = |wanted: &Option<String>, value: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == value)
        };
        is(&self.agent, &entry.agent)
            && is(&self.mode, &entry.mode)
            && is(
                &self.external_id,
                entry.external_id.as_deref().unwrap_or_default(),
            )
            && [&self.to, &self.number].into_iter().all(|wanted| {
                // Who calls whom through a dialler is known later than the entry.
                entry.to.is_empty() || is(wanted, &entry.to)
            })
            && self
                .created_from
                .is_none_or(|from| from <= entry.created_at)
            && self
                .created_before
                .is_none_or(|before| entry.created_at < before)
    }

    /// Whether a call that may be wanted is.
    pub fn wants(&self, record: &Record, call: &Call) -> bool {
        let outcome = call.ended().map(|verdict| verdict.outcome);
        self.status
            .is_none_or(|status| call.stage(record) == status)
            && self.outcome.is_none_or(|wanted| outcome == Some(wanted))
            && is_number(&self.to, &record.to)
            && is_number(&self.number, record.contact_number())
    }

    /// Whether no entry as new as this one, or newer, can be wanted.
    pub fn is_ahead(&self, entry: &Entry) -> bool {
        self.created_before
            .is_some_and(|before| before.plus_s(DISORDER_S) < entry.created_at)
    }

    /// Whether the newest entries may be of no interest at all.
    pub fn ends(&self) -> bool {
        self.created_before.is_some()
    }

    /// Whether no entry older than this one can be wanted.
    pub fn is_past(&self, entry: &Entry) -> bool {
        self.created_from
            .is_some_and(|from| entry.created_at.plus_s(DISORDER_S) < from)
    }
}

/// Where a list goes on, as text that means nothing to anybody else.
pub fn cursor(upto: u64) -> String {
    URL_SAFE_NO_PAD.encode(format!("1:{upto}"))
}

/// Reads [`cursor`].
pub fn read_cursor(text: &str) -> Option<u64> {
    let plain = URL_SAFE_NO_PAD.decode(text).ok()?;
    let number = str::from_utf8(&plain).ok()?.strip_prefix("1:")?;
    let upto = number.parse().ok()?;
    (1..=LAST).contains(&upto).then_some(upto)
}

/// A number in a query, as E.164.
fn phone(fields: &mut Fields, name: &str, home: Option<Country>) -> Option<String> {
    let text = fields.text(name)?;
    // A plus sign that was not percent-encoded arrives as a space.
    let text = match text.strip_prefix(' ') {
        Some(rest) => format!("+{rest}"),
        None => text,
    };
    match Phone::parse(&text, home) {
        Ok(phone) => Some(phone.as_str().to_owned()),
        Err(why) => {
            fields.refuse(name, Rule::NotAPhone(why.text().to_owned()));
            None
        }
    }
}

/// Whether a call's number is the one wanted. Diallers write numbers in their own way.
fn is_number(wanted: &Option<String>, stands: &str) -> bool {
    wanted.as_ref().is_none_or(|wanted| {
        wanted == stands || Phone::parse(stands, None).is_ok_and(|phone| phone.as_str() == wanted)
    })
}

/// Where a list in the order of ids goes on, in the same manner.
pub fn cursor_after(id: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("after:{id}"))
}

/// Reads [`cursor_after`].
pub fn read_cursor_after(text: &str) -> Option<String> {
    let plain = URL_SAFE_NO_PAD.decode(text).ok()?;
    let id = str::from_utf8(&plain).ok()?.strip_prefix("after:")?;
    (!id.is_empty()).then(|| id.to_owned())
}

fn mode(text: &str) -> Option<String> {
    matches!(text, "live" | "draft").then(|| text.to_owned())
}

/// What [`time`] reads, in words.
pub const TIME: &str = "a time like 2026-11-20T09:30:00Z or a date like 2026-11-20";

/// A time in RFC 3339, or a date, which is its midnight in UTC.
pub fn time(text: &str) -> Option<Time> {
    // A plus sign that was not percent-encoded arrives as a space.
    let text = text.replace(' ', "+");
    let whole = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        _ => text,
    };
    Time::parse_rfc3339(&whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Asked, String> {
        Asked::read(query, Country::parse("US")).map_err(|issues| issues[0].field.clone())
    }

    #[test]
    fn reads_every_filter() {
        let asked = read(
            "status=ended&outcome=no_answer&agent_id=reminder&to=+1%20500%20555%200010&number=5005550011&mode=draft\
             &external_id=crm-7&created_from=2026-11-20&created_before=2026-11-20T11:30:00+02:00&limit=100&cursor=",
        )
        .unwrap();
        let expected = Filter {
            status: Some(Stage::Ended),
            outcome: Some(Outcome::NoAnswer),
            agent: Some("reminder".to_owned()),
            to: Some("+15005550010".to_owned()),
            number: Some("+15005550011".to_owned()),
            mode: Some("draft".to_owned()),
            external_id: Some("crm-7".to_owned()),
            created_from: Some(Time(1_795_132_800_000)),
            created_before: Some(Time(1_795_167_000_000)),
        };
        assert_eq!(asked.filter, expected);
        assert_eq!((asked.limit, asked.upto), (100, None));
        let open = read("to=&limit=").unwrap();
        assert!(open.filter.is_open());
        assert_eq!(open.limit, 20);
    }

    #[test]
    fn names_what_is_wrong() {
        for (query, field) in [
            ("status=over", "status"),
            ("outcome=Completed", "outcome"),
            ("to=911", "to"),
            ("number=911", "number"),
            ("mode=test", "mode"),
            ("created_from=yesterday", "created_from"),
            ("created_before=2026-02-30", "created_before"),
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=1.5", "limit"),
            ("limit=99999999999999999999", "limit"),
            ("cursor=x", "cursor"),
            ("cursor=MTow", "cursor"),
            ("agent=reminder", "agent"),
            ("status=ended&status=queued", "status"),
        ] {
            assert_eq!(read(query), Err(field.to_owned()), "{query}");
        }
        let long = format!("external_id={}", "x".repeat(256));
        assert_eq!(read(&long), Err("external_id".to_owned()));
    }

    #[test]
    fn a_cursor_is_read_back() {
        for upto in [1, 17, LAST] {
            assert_eq!(read_cursor(&cursor(upto)), Some(upto));
        }
        assert_eq!(read_cursor(&cursor(0)), None);
        assert_eq!(read_cursor(&cursor(LAST + 1)), None);
    }
}
