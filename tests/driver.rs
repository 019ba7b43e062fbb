//! Puts contract cases to a host: in-process, or over HTTP to one that runs.

use crate::case::{self, Case, Caught, Step, fill, matches, text_matches};
use crate::finish;
use crate::memory::Memory;
use calls::time::Time;
use functions::{Answer, Platform};
use http::{Request, Response};
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where the demo organization finds its Twilio, unless its host is told another place.
const SIMULATOR: &str = "http://127.0.0.1:8790";

/// A host with the demo organization, and the Twilio beside it.
pub trait Driver {
    fn put_to(&self, request: Request<Vec<u8>>) -> Response<Vec<u8>>;
    /// How many calls Twilio was asked for so far.
    fn dialled(&self) -> usize;
    /// Where that Twilio is.
    fn simulator(&self) -> &str;
    /// The host's clock.
    fn time(&self) -> Time {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        Time(since_1970.unwrap_or_default().as_secs() * 1000)
    }
    /// Ends what the case began.
    fn calm(&self) {}
}

/// Runs one case; the error says what differs.
pub fn run(driver: &impl Driver, case: &Case) -> Result<(), String> {
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
    let outcome = case.steps.iter().try_for_each(|step| {
        take(driver, step, &mut caught)
            .map_err(|why| format!("{} {}: {why}", step.method, step.path))
    });
    driver.calm();
    outcome
}

/// Runs every contract case against one host; panics with all that differs.
pub fn every_case(driver: &impl Driver) {
    let cases = case::all();
    let differs = |case: &Case| {
        run(driver, case)
            .err()
            .map(|why| format!("{}\n    {why}", case.name))
    };
    let failed: Vec<String> = cases.iter().filter_map(differs).collect();
    assert!(
        failed.is_empty(),
        "{} of {} cases failed:\n{}",
        failed.len(),
        cases.len(),
        failed.join("\n")
    );
    println!("{} cases", cases.len());
}

fn take(driver: &impl Driver, step: &Step, caught: &mut Caught) -> Result<(), String> {
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
    let answer = driver.put_to(request.body(body).map_err(|error| error.to_string())?);
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
    if !answer.headers().contains_key("x-request-id") {
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
    Ok(())
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

    fn time(&self) -> Time {
        self.now()
    }
}

/// What the proxy of `wrangler dev` answers in place of a Worker whose idle connection it lost. No gateway answers so.
pub const PROXY: &str = "Your worker restarted mid-request";

/// A running gateway and simulator, by their addresses.
pub struct Http {
    pub gateway: String,
    pub simulator: String,
    agent: ureq::Agent,
}

impl Http {
    /// From `GATEWAY` and `SIMULATOR`, as `cargo verify` sets them.
    pub fn from_env() -> Http {
        let address =
            |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
        Http::new(
            address("GATEWAY", "http://127.0.0.1:8787"),
            address("SIMULATOR", SIMULATOR),
        )
    }

    pub fn new(gateway: String, simulator: String) -> Http {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .allow_non_standard_methods(true)
            .build();
        Http {
            gateway,
            simulator,
            agent: config.into(),
        }
    }

    /// A request with a whole URL.
    pub fn fetch(&self, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        self.try_fetch(request)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same, to a server that may be gone. Where wrangler's proxy answered it is asked once more.
    pub fn try_fetch(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, String> {
        let answer = self.fetch_once(request.clone())?;
        match answer.status() == 503 && answer.body().starts_with(PROXY.as_bytes()) {
            true => self.fetch_once(request),
            false => Ok(answer),
        }
    }

    fn fetch_once(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, String> {
        let what = format!("{} {}", request.method(), request.uri());
        let failed = |error: ureq::Error| format!("{what}: {error}");
        let (head, mut body) = self.agent.run(request).map_err(failed)?.into_parts();
        let body = body.read_to_vec().map_err(failed)?;
        Ok(Response::from_parts(head, body))
    }

    /// `GET` of a path at the simulator, as JSON.
    pub fn simulated(&self, path: &str) -> Value {
        let request = Request::get(format!("{}{path}", self.simulator))
            .body(Vec::new())
            .expect("a request");
        serde_json::from_slice(self.fetch(request).body()).expect("the simulator answers JSON")
    }

    /// Has the simulator do something to a live call.
    pub fn steer(&self, sid: &str, body: &Value) {
        let request = Request::post(format!("{}/_sim/calls/{sid}", self.simulator))
            .header("content-type", "application/json")
            .body(body.to_string().into_bytes())
            .expect("a request");
        self.fetch(request);
    }

    pub fn live(&self) -> Vec<String> {
        let calls = self.simulated("/_sim/calls");
        let live = calls
            .as_array()
            .into_iter()
            .flatten()
            .filter(|call| call["ended_at_ms"].is_null());
        live.filter_map(|call| call["sid"].as_str().map(str::to_owned))
            .collect()
    }
}

impl Driver for Http {
    fn put_to(&self, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        let (mut head, body) = request.into_parts();
        head.uri = format!("{}{}", self.gateway, head.uri)
            .parse()
            .expect("a URL");
        self.fetch(Request::from_parts(head, body))
    }

    fn simulator(&self) -> &str {
        &self.simulator
    }

    fn dialled(&self) -> usize {
        let stats = self.simulated("/_sim/stats");
        usize::try_from(
            stats["asked"]
                .as_u64()
                .expect("the simulator counts what it is asked for"),
        )
        .expect("a count")
    }

    fn calm(&self) {
        for _ in 0..200 {
            let live = self.live();
            if live.is_empty() {
                return;
            }
            for sid in live {
                self.steer(&sid, &serde_json::json!({ "action": "hangup" }));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("calls are still live at the simulator");
    }
}
