//! Puts contract cases to a host: in-process, or over HTTP to one that runs.

use crate::case::{self, ANSWER, Case, Caught, LETTER, Step, fill, matches, text_matches};
use crate::finish;
use crate::memory::Memory;
pub use crate::running::{Http, PROXY};
use crate::same;
use calls::time::Time;
use functions::{Answer, Platform};
use http::{HeaderMap, Request, Response};
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the demo organization finds its Twilio, unless its host is told another place.
pub(crate) const SIMULATOR: &str = "http://127.0.0.1:8790";

/// A host with the demo organization, and the Twilio beside it.
pub trait Driver {
    fn put_to(&self, request: Request<Vec<u8>>) -> Response<Vec<u8>>;
    /// How many calls Twilio was asked for so far.
    fn dialled(&self) -> usize;
    /// Where that Twilio is.
    fn simulator(&self) -> &str;
    /// Brings a call to an outcome of our own API, or into its conversation. `key` is what the call was placed with.
    fn becomes(&self, call: &str, word: &str, key: &HeaderMap) -> Result<(), String>;
    /// The body of what came to the simulator's inbox of this name, once it did.
    fn letter(&self, inbox: &str) -> Option<Vec<u8>>;
    /// Has what comes to that inbox next answered so.
    fn will_answer(&self, inbox: &str, body: Vec<u8>);
    /// The host's clock.
    fn time(&self) -> Time {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        Time(since_1970.unwrap_or_default().as_secs() * 1000)
    }
    /// Has calls stand where they are placed.
    fn still(&self) {}
    /// Ends what the case began.
    fn calm(&self) {}
}

/// What came of a case on one host.
pub struct Played {
    /// The error says what differs from what the case expects.
    pub outcome: Result<(), String>,
    pub heard: Vec<Heard>,
    pub caught: Caught,
}

/// One answer, and what was asked.
pub struct Heard {
    pub asked: String,
    pub answer: Response<Vec<u8>>,
}

/// Runs one case; the error says what differs.
pub fn run(driver: &impl Driver, case: &Case) -> Result<(), String> {
    play(driver, case).outcome
}

/// Runs one case and keeps what it heard.
pub fn play(driver: &impl Driver, case: &Case) -> Played {
    let mut caught = Caught::new();
    // A running host remembers: what must be new each time is made of the time.
    let fresh = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos();
    caught.insert("fresh".to_owned(), fresh.to_string());
    caught.insert("simulator".to_owned(), driver.simulator().to_owned());
    for (name, seconds) in [("in_an_hour", 3_600), ("in_two_hours", 7_200)] {
        let time = driver.time().plus_s(seconds).rfc3339();
        caught.insert(name.to_owned(), time);
    }
    let mut heard = Vec::new();
    driver.still();
    let outcome = case.steps.iter().try_for_each(|step| {
        take(driver, step, &mut caught, &mut heard)
            .map_err(|why| format!("{} {}: {why}", step.method, step.path))
    });
    driver.calm();
    Played {
        outcome,
        heard,
        caught,
    }
}

/// Runs every contract case on one host and on its twin, which must answer alike; panics with all that differs.
pub fn every_case(driver: &impl Driver, twin: &impl Driver) {
    let cases = case::all();
    let (mut failed, mut differing) = (Vec::new(), Vec::new());
    for case in &cases {
        let (here, there) = (play(driver, case), play(twin, case));
        if let Err(why) = &here.outcome {
            failed.push(format!("{}\n    {why}", case.name));
        }
        if let Err(why) = &there.outcome {
            failed.push(format!("{}, on its twin\n    {why}", case.name));
        }
        differing.extend(same::differences(&case.name, &here, &there));
    }
    assert!(
        failed.is_empty() && differing.is_empty(),
        "{} of {} cases failed:\n{}\n{} answers differ between this host (-) and its twin (+):\n{}",
        failed.len(),
        cases.len(),
        failed.join("\n"),
        differing.len(),
        differing.join("\n")
    );
    println!("{} cases", cases.len());
}

fn take(
    driver: &impl Driver,
    step: &Step,
    caught: &mut Caught,
    heard: &mut Vec<Heard>,
) -> Result<(), String> {
    let mut request = Request::builder()
        .method(step.method.as_str())
        .uri(fill(&step.path, caught));
    for (name, value) in &step.headers {
        request = request.header(name, fill(value, caught));
    }
    let body = match std::str::from_utf8(&step.body) {
        Ok(text) => fill(text, caught).into_bytes(),
        Err(_) => step.body.clone(),
    };
    let before = driver.dialled();
    let request = request.body(body).map_err(|error| error.to_string())?;
    let key = request.headers().clone();
    let inbox = request.uri().path().trim_matches('/').to_owned();
    let (answer, by_host) = match step.method.as_str() {
        LETTER => {
            let letter = driver.letter(&inbox).ok_or("nothing came")?;
            (Response::new(letter), false)
        }
        ANSWER => {
            driver.will_answer(&inbox, request.into_body());
            (Response::default(), false)
        }
        _ => (driver.put_to(request), true),
    };
    heard.push(Heard {
        asked: format!("{} {}", step.method, step.path),
        answer: answer.clone(),
    });
    let shown = String::from_utf8_lossy(answer.body()).into_owned();
    if answer.status() != step.status {
        return Err(format!(
            "expected {}, got {} {shown}",
            step.status,
            answer.status()
        ));
    }
    for (name, pattern) in &step.expected_headers {
        let value = answer
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if !text_matches(&fill(pattern, caught), value, caught) {
            return Err(format!("header {name}: expected {pattern}, got {value}"));
        }
    }
    if by_host && !answer.headers().contains_key("x-request-id") {
        return Err("no x-request-id".to_owned());
    }
    let expected = fill(&step.expected_body, caught);
    match serde_json::from_str::<Value>(&expected) {
        Ok(expected) => {
            let given = serde_json::from_str(&shown)
                .map_err(|_| format!("the answer is no JSON: {shown}"))?;
            matches(&expected, &given, caught, "body")?;
        }
        Err(_) if text_matches(&expected, shown.trim(), caught) => {}
        Err(_) => return Err(format!("expected {expected}, got {shown}")),
    }
    let dialled = driver.dialled() - before;
    if dialled != step.dialled {
        return Err(format!(
            "expected {} calls to be dialled, got {dialled}",
            step.dialled
        ));
    }
    match &step.becomes {
        Some(word) => {
            let call = answer.headers().get("x-call-id");
            let call = call.and_then(|call| call.to_str().ok());
            driver.becomes(call.ok_or("no x-call-id")?, word, &key)
        }
        None => Ok(()),
    }
}

impl Driver for Memory {
    fn put_to(&self, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        self.operations.borrow_mut().requests += 1;
        let writes = self.operations.borrow().config_writes;
        let answer = match finish(functions::answer(self, request)) {
            Answer::Reply(reply) => reply,
            Answer::Media { .. } => Response::new(b"the media socket".to_vec()),
        };
        // Configuration may be seen late, and is waited for. Nothing else may be, and nothing is.
        if self.operations.borrow().config_writes > writes {
            self.config.catch_up();
        }
        answer
    }

    fn dialled(&self) -> usize {
        self.twilio.asked.borrow().len()
    }

    fn simulator(&self) -> &str {
        SIMULATOR
    }

    fn becomes(&self, call: &str, word: &str, _key: &HeaderMap) -> Result<(), String> {
        self.tell(call, word)
    }

    fn letter(&self, inbox: &str) -> Option<Vec<u8>> {
        let path = format!("/_sim/inbox/{inbox}");
        let seen = self.outside.seen.borrow();
        let letter = seen.iter().find(|request| request.uri().path() == path)?;
        Some(letter.body().clone())
    }

    fn will_answer(&self, inbox: &str, body: Vec<u8>) {
        let url = format!("{SIMULATOR}/_sim/inbox/{inbox}");
        self.outside.will_answer(&url, Ok(Response::new(body)));
    }

    fn time(&self) -> Time {
        self.now()
    }

    fn calm(&self) {
        self.end_all();
    }
}
