//! Contract cases: text files of requests and the answers they must get.
//!
//! ```text
//! ## What the case shows
//! > The sentence of the document it proves.
//! POST /api/v1/public/agent/5f0c3a52-6d1e-4c7b-9a38-2b7e41d0c9aa
//! X-API-Key: rd_test_demo_rest_4f1c2a9e7b3d5860
//!
//! {"phone_number": "+15005550010"}
//! < 200
//! < x-call-id: <uuid:call>
//!
//! {"status": "initiated", "workflow_run_id": "<integer>", "workflow_run_name": "WR-API-<4 digits>"}
//! dialled 1
//! ```
//!
//! `> Ringdown: …` says a rule of our own, where no document has one.
//!
//! A case may go on with further requests; `{call}` stands for what `<uuid:call>` caught. `dialled` says how many
//! calls Twilio was asked for by the request before it (0 unless said). Placeholders: `<uuid>`, `<integer>`,
//! `<number>`, `<time>`, `<whole second>`, `<text>`, `<sid>`, `<N digits>`; in an expected object `"…": "…"` lets further fields pass.
//! `becomes busy` brings the call just placed to that outcome of our own API, as its number's story at Twilio has it;
//! `becomes in_progress` has it answered and goes on. Until then it stands where it was placed.
//! `LETTER /name` is no request: it stands for what came to `{simulator}/_sim/inbox/name`, once it did. `ANSWER /name`
//! has what comes there next answered with the body below it.
//! `{fresh}` in a request is another text each time the case runs; `{in_an_hour}` and `{in_two_hours}` are times;
//! `{simulator}` is the address of the Twilio beside the host.
//! In a body, `<N bytes>` stands for N bytes of `x`, and `<N times …>` for what follows, N times over. A body line
//! that begins with `hex:` is sent as those bytes.

use serde_json::Value;
use std::collections::BTreeMap;

/// One case: a title and its steps.
#[derive(Debug)]
pub struct Case {
    /// `file: title`
    pub name: String,
    /// What it proves: the lines that begin with `>`.
    pub quotes: Vec<String>,
    pub steps: Vec<Step>,
}

#[derive(Debug, Default)]
pub struct Step {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub status: u16,
    pub expected_headers: Vec<(String, String)>,
    pub expected_body: String,
    pub dialled: usize,
    /// What the call that it placed comes to after it.
    pub becomes: Option<String>,
}

/// The methods of steps that no host is asked: what came to a customer's server, and what that is to answer.
pub const LETTER: &str = "LETTER";
pub const ANSWER: &str = "ANSWER";

/// All cases in `tests/cases`, by file.
pub fn all() -> Vec<Case> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/cases");
    let mut files: Vec<_> = walk(folder.as_ref());
    files.sort();
    files.iter().flat_map(|file| read(file, folder)).collect()
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("tests/cases is there");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        // The list of what no case reaches is no case.
        .filter(|path| path.file_name().is_none_or(|name| name != "unstated.txt"))
        .flat_map(|path| {
            if path.is_dir() {
                walk(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

fn read(file: &std::path::Path, folder: &str) -> Vec<Case> {
    let text = std::fs::read_to_string(file).expect("a case file is text");
    let short = file
        .strip_prefix(folder)
        .expect("below the folder")
        .display()
        .to_string();
    let mut cases = Vec::new();
    for part in text
        .split("\n## ")
        .skip(usize::from(!text.starts_with("## ")))
    {
        let part = part.strip_prefix("## ").unwrap_or(part);
        let (title, rest) = part.split_once('\n').unwrap_or((part, ""));
        let steps = steps(rest);
        assert!(!steps.is_empty(), "{short}: {title} has no request");
        let before = rest.lines().take_while(|line| line.starts_with('>'));
        cases.push(Case {
            name: format!("{short}: {title}"),
            quotes: before.map(|line| line[1..].trim().to_owned()).collect(),
            steps,
        });
    }
    assert!(!cases.is_empty(), "{short} holds no case");
    cases
}

enum At {
    Before,
    Headers,
    Body,
    Answer,
    AnswerBody,
}

fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut at = At::Before;
    for line in text.lines() {
        let request = line.split_once(' ').filter(|(method, path)| {
            matches!(
                *method,
                "GET" | "POST" | "PUT" | "DELETE" | "PATCH" | "OPTIONS" | "HEAD" | LETTER | ANSWER
            ) && path.starts_with('/')
        });
        if let (Some((method, path)), At::Before | At::Answer | At::AnswerBody) = (request, &at) {
            steps.push(Step {
                method: method.to_owned(),
                path: path.to_owned(),
                ..Step::default()
            });
            at = At::Headers;
            continue;
        }
        let Some(step) = steps.last_mut() else {
            continue;
        };
        if let Some(status) = line.strip_prefix("< ") {
            match status.split_once(": ") {
                Some((name, value)) => step
                    .expected_headers
                    .push((name.to_owned(), value.to_owned())),
                None => {
                    step.status = status
                        .trim()
                        .parse()
                        .unwrap_or_else(|_| panic!("no status: {line}"))
                }
            }
            at = At::Answer;
            continue;
        }
        match at {
            At::Headers if line.is_empty() => at = At::Body,
            At::Headers => {
                let (name, value) = line
                    .split_once(':')
                    .unwrap_or_else(|| panic!("no header: {line}"));
                step.headers
                    .push((name.to_owned(), value.trim().to_owned()));
            }
            At::Body => {
                if !step.body.is_empty() {
                    step.body.push(b'\n');
                }
                step.body.extend(body_line(line));
            }
            At::Answer | At::AnswerBody => {
                if let Some(count) = line.strip_prefix("dialled ") {
                    step.dialled = count.trim().parse().expect("a count");
                } else if let Some(word) = line.strip_prefix("becomes ") {
                    step.becomes = Some(word.trim().to_owned());
                } else {
                    at = At::AnswerBody;
                    step.expected_body.push_str(line);
                    step.expected_body.push('\n');
                }
            }
            At::Before => {}
        }
    }
    for step in &mut steps {
        assert!(
            step.status != 0,
            "{} {} expects no status",
            step.method,
            step.path
        );
        step.expected_body = step.expected_body.trim().to_owned();
    }
    steps
}

fn body_line(line: &str) -> Vec<u8> {
    match line.strip_prefix("hex:") {
        Some(digits) => {
            let digits: Vec<char> = digits.chars().filter(char::is_ascii_hexdigit).collect();
            let byte = |pair: &[char]| {
                u8::from_str_radix(&pair.iter().collect::<String>(), 16).expect("hex")
            };
            digits.chunks(2).map(byte).collect()
        }
        None => repeated(line).into_bytes(),
    }
}

/// The line with its `<N bytes>` and `<N times …>` written out.
fn repeated(line: &str) -> String {
    let parts = line.split_once('<').and_then(|(before, rest)| {
        let (inside, after) = rest.split_once('>')?;
        let (count, what) = inside.split_once(' ')?;
        let count: usize = count.parse().ok()?;
        let what = match what {
            "bytes" => "x",
            what => what.strip_prefix("times ")?,
        };
        Some((before, what.repeat(count), after))
    });
    match parts {
        Some((before, what, after)) => format!("{before}{what}{}", repeated(after)),
        None => line.to_owned(),
    }
}

/// What placeholders caught, by name.
pub type Caught = BTreeMap<String, String>;

/// `text` with `{name}` replaced by what was caught.
pub fn fill(text: &str, caught: &Caught) -> String {
    caught.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), value)
    })
}

/// Whether `given` is what was expected; the error says where not.
pub fn matches(
    expected: &Value,
    given: &Value,
    caught: &mut Caught,
    path: &str,
) -> Result<(), String> {
    let differs = || Err(format!("{path}: expected {expected}, got {given}"));
    match (expected, given) {
        (Value::Object(expected), Value::Object(given)) => {
            let open = expected.contains_key("…");
            for (name, expected) in expected.iter().filter(|(name, _)| *name != "…") {
                let given = given
                    .get(name)
                    .ok_or_else(|| format!("{path}.{name} is missing"))?;
                matches(expected, given, caught, &format!("{path}.{name}"))?;
            }
            match given
                .keys()
                .find(|name| !open && !expected.contains_key(*name))
            {
                Some(name) => Err(format!("{path}.{name} was not expected")),
                None => Ok(()),
            }
        }
        (Value::Array(expected), Value::Array(list)) => {
            if expected.len() != list.len() {
                return Err(format!(
                    "{path}: expected {} items, got {given}",
                    expected.len()
                ));
            }
            expected
                .iter()
                .zip(list)
                .enumerate()
                .try_for_each(|(index, (expected, given))| {
                    matches(expected, given, caught, &format!("{path}[{index}]"))
                })
        }
        (Value::String(pattern), given) if pattern.contains('<') => {
            let kind = pattern
                .trim_start_matches('<')
                .trim_end_matches('>')
                .split(':')
                .next()
                .unwrap_or_default();
            let text = match (kind, given) {
                ("integer", Value::Number(number)) if number.is_i64() || number.is_u64() => {
                    number.to_string()
                }
                ("number", Value::Number(number)) => number.to_string(),
                (_, Value::String(text)) => text.clone(),
                _ => return differs(),
            };
            if text_matches(pattern, &text, caught) {
                Ok(())
            } else {
                differs()
            }
        }
        (expected, given) if expected == given => Ok(()),
        _ => differs(),
    }
}

/// Whether `text` fits `pattern`, placeholders in it filled by what stands there.
pub fn text_matches(pattern: &str, text: &str, caught: &mut Caught) -> bool {
    let Some((before, rest)) = pattern.split_once('<') else {
        return pattern == text;
    };
    let Some((placeholder, after)) = rest.split_once('>') else {
        return pattern == text;
    };
    let Some(text) = text.strip_prefix(before) else {
        return false;
    };
    let (kind, name) = placeholder.split_once(':').unwrap_or((placeholder, ""));
    let end = match (after, kind.strip_suffix(" digits")) {
        (_, Some(count)) => count.parse().unwrap_or(0),
        ("", None) => text.len(),
        (after, None) => {
            let literal = after.split('<').next().unwrap_or_default();
            text.find(literal).unwrap_or(text.len())
        }
    };
    let Some((value, rest)) = text.split_at_checked(end) else {
        return false;
    };
    let hex = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
    };
    let fits = match kind {
        "uuid" => value.len() == 36 && hex(value),
        "integer" => value.parse::<i64>().is_ok(),
        "number" => value.parse::<f64>().is_ok(),
        "whole second" => value.len() == 20 && value.ends_with('Z') && value.as_bytes()[10] == b'T',
        "time" => value.len() == 24 && value.ends_with('Z') && value.as_bytes()[10] == b'T',
        "sid" => value.len() == 34 && value.starts_with("CA") && hex(&value[2..]),
        "text" => !value.is_empty(),
        kind if kind.ends_with(" digits") => value.bytes().all(|byte| byte.is_ascii_digit()),
        other => panic!("no such placeholder: <{other}>"),
    };
    if !name.is_empty() {
        caught.insert(name.to_owned(), value.to_owned());
    }
    fits && text_matches(after, rest, caught)
}
