//! Whether two hosts answer a case alike, byte for byte, but for what no two runs have in common: ids, times, secrets,
//! addresses.

use crate::case::Caught;
use crate::driver::{Driver, Heard, Played};
use crate::memory::Memory;
use http::{HeaderMap, Request, Response};

/// Headers that belong to the connection, or to whoever carries the answer, and not to the answer.
const CARRIERS: [&str; 6] = [
    "connection",
    "content-encoding",
    "content-length",
    "date",
    "keep-alive",
    "transfer-encoding",
];

/// What goes on by itself while a case runs, and is there in one run sooner than in another: how long a call has
/// lasted, and what a real voice and a simulated person reported and said meanwhile. A cursor counts the entries of a list,
/// of which a request that was sent again may have left one more behind.
const RUNNING: [&str; 10] = [
    "call_duration_seconds",
    "duration",
    "duration_s",
    "next_cursor",
    "offset_s",
    "retry_after_s",
    "timeline",
    "took_ms",
    "transcript",
    "what_happened",
];

/// The platform in memory as the twin of a running host: it remembers all cases, and its clock goes.
pub struct Twin(Memory);

impl Twin {
    /// `launcher`: of a host that cannot start containers.
    pub fn new(launcher: bool) -> Twin {
        let mut memory = Memory::new(launcher);
        memory.config = crate::kv::Kv::default();
        memory.import_demo();
        Twin(memory)
    }
}

impl Driver for Twin {
    fn put_to(&self, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        self.0.pass_to(self.time());
        self.0.put_to(request)
    }

    fn dialled(&self) -> usize {
        self.0.dialled()
    }

    fn simulator(&self) -> &str {
        self.0.simulator()
    }

    fn becomes(&self, call: &str, word: &str, key: &HeaderMap) -> Result<(), String> {
        self.0.becomes(call, word, key)
    }

    fn letter(&self, inbox: &str) -> Option<Vec<u8>> {
        self.0.letter(inbox)
    }

    fn will_answer(&self, inbox: &str, body: Vec<u8>) {
        self.0.will_answer(inbox, body);
    }

    fn calm(&self) {
        self.0.calm();
    }
}

/// Each exchange of a case whose answers differ, with both of them.
pub fn differences(case: &str, one: &Played, other: &Played) -> Vec<String> {
    let mut found = Vec::new();
    let pairs = one.heard.iter().zip(&other.heard);
    for (index, (here, there)) in pairs.enumerate() {
        let (mine, theirs) = (shown(here, &one.caught), shown(there, &other.caught));
        if mine != theirs {
            let asked = &here.asked;
            let number = index + 1;
            let lines = lines_that_differ(&mine, &theirs);
            found.push(format!("{case}\n    {number}. {asked}\n{lines}"));
        }
    }
    let (mine, theirs) = (one.heard.len(), other.heard.len());
    if mine != theirs {
        found.push(format!("{case}\n    {mine} answers, and {theirs}"));
    }
    found
}

/// The lines between what both begin with and what both end with.
fn lines_that_differ(mine: &str, theirs: &str) -> String {
    let (mine, theirs): (Vec<&str>, Vec<&str>) = (mine.lines().collect(), theirs.lines().collect());
    let same = |pair: &(&&str, &&str)| pair.0 == pair.1;
    let before = mine.iter().zip(&theirs).take_while(same).count();
    let (mine, theirs) = (&mine[before..], &theirs[before..]);
    let backwards = mine.iter().rev().zip(theirs.iter().rev());
    let after = backwards.take_while(same).count();
    let shown = |sign: &str, lines: &[&str]| -> String {
        let lines = lines[..lines.len() - after].iter();
        lines.map(|line| format!("      {sign} {line}\n")).collect()
    };
    shown("-", mine) + &shown("+", theirs)
}

/// An answer as every host must give it: status, headers, body.
fn shown(heard: &Heard, caught: &Caught) -> String {
    let answer = &heard.answer;
    let mut headers: Vec<String> = answer
        .headers()
        .iter()
        .filter(|(name, _)| !CARRIERS.contains(&name.as_str()))
        .map(|(name, value)| {
            let value = match name.as_str() {
                "retry-after" => "<seconds>".to_owned(),
                _ => plain(&String::from_utf8_lossy(value.as_bytes()), caught),
            };
            format!("{name}: {value}")
        })
        .collect();
    // Their order is the carrier's.
    headers.sort();
    let mut body = String::from_utf8_lossy(answer.body()).into_owned();
    // A call's timeline and its transcript by themselves.
    let path = heard.asked.split('?').next().unwrap_or_default();
    if path.ends_with("/events") || path.ends_with("/transcript") {
        body = without(&body, "data");
    }
    let body = RUNNING
        .iter()
        .fold(body, |body, field| without(&body, field));
    let mut body = plain(&body, caught);
    if headers.iter().any(|header| header.contains("ndjson")) {
        // Keys are listed by their hashes, and a case makes new ones each time.
        let mut lines: Vec<&str> = body.lines().collect();
        lines.sort_unstable();
        body = lines.join("\n");
    }
    let mut lines = vec![answer.status().as_u16().to_string()];
    lines.extend(headers);
    lines.extend([String::new(), body]);
    lines.join("\n")
}

/// `text` with this field's values left out, wherever it stands.
fn without(text: &str, field: &str) -> String {
    let name = format!("\"{field}\":");
    let mut parts = text.split(name.as_str());
    let mut kept = parts.next().unwrap_or_default().to_owned();
    let mut within: Option<String> = None;
    for part in parts {
        // A value may hold the name again: then it goes on until its brackets are closed.
        let part = within
            .take()
            .map_or(part.to_owned(), |begun| begun + &name + part);
        match value_end(&part) {
            Some(end) => {
                kept.push_str(&format!("{name}<{field}>{}", &part[end..]));
            }
            None => within = Some(part),
        }
    }
    kept + &within.unwrap_or_default()
}

/// Where the JSON value ends that `text` begins with.
fn value_end(text: &str) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' | b',' if depth == 0 => return Some(index),
            b']' | b'}' => depth -= 1,
            _ => {}
        }
    }
    (depth == 0 && !quoted).then_some(text.len())
}

/// `text` with a name in place of what the case caught, and of whatever looks like an id, a time, a secret or an address.
fn plain(text: &str, caught: &Caught) -> String {
    // What is short may stand anywhere, and two times may be one.
    let named = caught.iter().filter(|(_, value)| value.len() > 5);
    let mut named: Vec<_> = named
        .filter(|(_, value)| kind(value) != Some("<time>"))
        .collect();
    named.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
    let text = named.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(value.as_str(), &format!("<{name}>"))
    });
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some(start) = rest.find(|first: char| first.is_ascii_alphanumeric()) {
        plain.push_str(&rest[..start]);
        rest = &rest[start..];
        // What is sealed or secret is in base64.
        let base64 = ["v1:", "whsec_"]
            .iter()
            .any(|start| rest.starts_with(start));
        let more = match base64 {
            true => ":_+/=",
            false => "-_.:+",
        };
        let inside = |letter: char| letter.is_ascii_alphanumeric() || more.contains(letter);
        let end = rest.find(|letter| !inside(letter)).unwrap_or(rest.len());
        let word = match base64 {
            true => &rest[..end],
            false => rest[..end].trim_end_matches(['.', ':', '+', '-']),
        };
        match kind(word) {
            Some(kind) => plain.push_str(kind),
            None => plain.push_str(&counted(word)),
        }
        rest = &rest[word.len()..];
    }
    addresses(&(plain + rest))
}

/// `text` with a name for what other runs of a case made new: the nanoseconds of their time.
fn counted(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|first: char| first.is_ascii_digit()) {
        plain.push_str(&rest[..start]);
        rest = &rest[start..];
        let other = rest.find(|letter: char| !letter.is_ascii_digit());
        let (digits, after) = rest.split_at(other.unwrap_or(rest.len()));
        plain.push_str(if digits.len() == 19 {
            "<fresh>"
        } else {
            digits
        });
        rest = after;
    }
    plain + rest
}

/// What a word is, if it is of those that differ from run to run.
fn kind(word: &str) -> Option<&'static str> {
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let shape: String = word
        .chars()
        .map(|letter| if letter.is_ascii_digit() { '0' } else { letter })
        .collect();
    let last = word.rsplit('_').next().unwrap_or_default();
    match word {
        _ if word.len() == 36 && hex(&word.replace('-', "")) => Some("<uuid>"),
        _ if shape.starts_with("0000-00-00T00:00") => Some("<time>"),
        _ if shape == "0000-00-00" => Some("<date>"),
        _ if shape.starts_with("00:00") => Some("<clock>"),
        _ if shape == "WR-API-0000" || shape == "WR-TEST-0000" => Some("<run name>"),
        _ if word.starts_with("whsec_") => Some("<secret>"),
        _ if word.starts_with("v1:") => Some("<sealed>"),
        _ if word.starts_with("CA") && word.len() == 34 && hex(&word[2..]) => Some("<sid>"),
        // Longer than the phone numbers of the tests.
        _ if word.len() >= 12 && digits(word) => Some("<number>"),
        _ if last.len() >= 16 && hex(last) => Some("<hex>"),
        _ if word.len() >= 60 => Some("<token>"),
        _ => None,
    }
}

/// `text` with `<address>` for every origin a host, a launcher or a simulator of the tests has.
fn addresses(text: &str) -> String {
    let mut parts = text.split("://");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end =
            part.find(|letter: char| !letter.is_ascii_alphanumeric() && !".:-".contains(letter));
        let (host, rest) = part.split_at(end.unwrap_or(part.len()));
        let ours = ["127.0.0.1", "localhost", "gw.example", "launcher.example"];
        match ours.contains(&host.split(':').next().unwrap_or_default()) {
            true => {
                let scheme = kept.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
                kept.truncate(scheme.len());
                kept.push_str("<address>");
            }
            false => kept.push_str(&format!("://{host}")),
        }
        kept.push_str(rest);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::response::Builder;

    fn heard(answer: Builder, body: &str) -> Played {
        let answer = answer.body(body.as_bytes().to_vec()).expect("an answer");
        let asked = "GET /v1/calls/x".to_owned();
        Played {
            outcome: Ok(()),
            heard: vec![Heard { asked, answer }],
            caught: [("call".to_owned(), "call-1234".to_owned())].into(),
        }
    }

    #[track_caller]
    fn alike(one: &str, other: &str) {
        let of = |body| heard(Response::builder().header("date", body), body);
        let differences = differences("case", &of(one), &of(other));
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }

    #[track_caller]
    fn different(one: &str, other: &str) {
        let of = |body| heard(Response::builder(), body);
        assert_eq!(differences("case", &of(one), &of(other)).len(), 1);
    }

    #[test]
    fn what_runs_differ_in_is_passed_over() {
        alike(
            r#"{"id":"c0a5e000-0000-4000-8000-000000000051","at":"2026-11-20T09:30:00.000Z","n":123456789012}"#,
            r#"{"id":"d0a5e000-0000-4000-8000-000000000052","at":"2026-11-21T09:31:00+05:30","n":9876543210987}"#,
        );
        alike(
            r#"{"url":"http://127.0.0.1:8787/v1","timeline":[{"a":"]","timeline":1}],"duration":1}"#,
            r#"{"url":"https://gw.example/v1","timeline":[],"duration":22.5}"#,
        );
        alike(
            r#"{"sid":"CA00000000000000000000000000000041","run":"WR-API-0001"}"#,
            r#"{"sid":"CA0000000000000000000000000000004a","run":"WR-API-1234"}"#,
        );
        alike(
            r#"{"id":"case-1795990622871005467"}"#,
            r#"{"id":"case-1795990622905934699"}"#,
        );
        alike(
            r#"{"secret":"whsec_a/b+c=","sealed":"v1:x+"}"#,
            r#"{"secret":"whsec_abc","sealed":"v1:x/y="}"#,
        );
    }

    #[test]
    fn everything_else_counts() {
        different(r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#);
        different(r#"{"a":1}"#, r#"{"a": 1}"#);
        different(r#"{"a":null}"#, r#"{"a":"2026-11-20T09:30:00.000Z"}"#);
        different(r#"{"a":"+15005550010"}"#, r#"{"a":"+15005550011"}"#);
        different(r#"{"a":"call-1234"}"#, r#"{"a":"call-1235"}"#);
        different(r#"{"timeline":1,"b":2}"#, r#"{"timeline":1,"b":3}"#);
    }

    #[test]
    fn headers_count() {
        let plain = heard(Response::builder(), "{}");
        let more = heard(Response::builder().header("x-error-code", "busy"), "{}");
        let found = differences("case", &plain, &more);
        assert_eq!(
            found,
            ["case\n    1. GET /v1/calls/x\n      + x-error-code: busy\n"]
        );
        let carried = heard(Response::builder().header("connection", "close"), "{}");
        assert!(differences("case", &plain, &carried).is_empty());
        let mut fewer = heard(Response::builder(), "{}");
        fewer.heard.clear();
        assert_eq!(differences("case", &plain, &fewer).len(), 1);
    }

    /// Two platforms in memory, one of which remembers all cases.
    #[test]
    fn every_case_in_memory() {
        crate::driver::every_case(&Twin::new(false), &Twin::new(true));
    }
}
