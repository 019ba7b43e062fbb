//! An organization that one test has to itself on a running stack: its agent, its numbers, and what became of its calls.

use crate::driver::Http;
use http::{Request, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

const ADMIN_TOKEN: &str = "rd_admin_demo_6b1f0c8d2e4a5937";
/// The simulator's account that all of them dial with.
const ACCOUNT: &str = "AC00000000000000000000000000000041";
pub const AUTH_TOKEN: &str = "41414141414141414141414141414141";

pub struct Tenant {
    pub http: Http,
    /// Three digits of all numbers it calls, and of its own names.
    exchange: u16,
    pub seats: u64,
}

/// What a request to place a call was answered.
#[derive(Clone, Debug)]
pub struct Said {
    pub status: u16,
    pub id: Option<String>,
}

impl Tenant {
    /// Imports the organization. Numbers it calls are `+1500{exchange}` and four digits.
    pub fn new(exchange: u16, seats: u64) -> Tenant {
        Tenant::with(exchange, seats, &json!({}), &json!({}))
    }

    /// With further fields of its organization and its agent.
    pub fn with(exchange: u16, seats: u64, organization: &Value, agent: &Value) -> Tenant {
        let tenant = Tenant {
            http: Http::from_env(),
            exchange,
            seats,
        };
        tenant.import(organization, agent);
        tenant
    }

    fn import(&self, organization: &Value, agent: &Value) {
        let with = |mut line: Value, more: &Value| {
            let more = more.as_object().cloned().unwrap_or_default();
            line.as_object_mut().expect("a line").extend(more);
            line
        };
        let (exchange, name) = (self.exchange, self.name());
        let telephony = 9_000 + exchange;
        let mut lines = String::new();
        for line in [
            with(
                json!({"type": "organization", "id": name, "name": name, "seats": self.seats, "country": "US",
                "calling_window": null, "attempts_per_day": null,
                "default_telephony_configuration": telephony}),
                organization,
            ),
            json!({"type": "telephony_configuration", "id": telephony, "organization": name, "name": "Main",
                "account_sid": ACCOUNT, "auth_token": AUTH_TOKEN, "api_base_url": self.http.simulator}),
            json!({"type": "number", "id": self.trigger(), "organization": name,
                "number": format!("+15005551{exchange}"), "telephony_configuration": telephony}),
            with(
                json!({"type": "agent", "id": name, "organization": name, "owner": "tests", "name": "Tester",
                "trigger": self.trigger(),
                "published": {"greeting": "Hello.", "answers": ["Good."], "ring_s": 5, "call_s": 30}}),
                agent,
            ),
            json!({"type": "key", "organization": name, "name": "Rest APIs", "key": self.key()}),
        ] {
            writeln!(lines, "{line}").expect("a text grows");
        }
        let request = Request::post(format!("{}/v1/admin/import", self.http.gateway))
            .header("authorization", format!("Bearer {ADMIN_TOKEN}"))
            .body(lines.into_bytes())
            .expect("well-formed");
        let answer = self.http.fetch(request);
        let said = String::from_utf8_lossy(answer.body());
        assert_eq!(answer.status(), 200, "{said}");
    }

    /// Has the ends of its calls reported to an inbox of the simulator.
    pub fn subscribe(&self) {
        let url = format!("{}/_sim/inbox/{}", self.http.simulator, self.name());
        let asked = json!({ "url": url, "events": ["call.ended"] });
        let answer = self.send("POST", "/v1/webhooks", &asked);
        let said = String::from_utf8_lossy(answer.body());
        assert_eq!(answer.status(), 201, "{said}");
    }

    /// How the inbox answers from now on: JSON as the simulator's README has it.
    pub fn endpoint(&self, answer: &Value) {
        let path = format!("/_sim/inbox/{}/answer", self.name());
        self.tell_simulator(&path, answer);
    }

    /// The id of every report that came, as often as it came, and the call it was about.
    pub fn letters(&self) -> Vec<(String, String)> {
        let requests = self
            .http
            .simulated(&format!("/_sim/inbox/{}/requests", self.name()));
        let read = |request: &Value| {
            let id = request["headers"]["webhook-id"].as_str()?;
            let body: Value = serde_json::from_str(request["body"].as_str()?).ok()?;
            Some((id.to_owned(), body["data"]["id"].as_str()?.to_owned()))
        };
        let requests = requests.as_array().into_iter().flatten();
        requests.filter_map(read).collect()
    }

    fn name(&self) -> String {
        format!("tenant-{}", self.exchange)
    }

    fn key(&self) -> String {
        format!("rd_test_tenant_{:016}", self.exchange)
    }

    fn trigger(&self) -> String {
        format!("00000000-0000-4000-8000-{:012}", self.exchange)
    }

    /// How all numbers it calls begin.
    pub fn prefix(&self) -> String {
        format!("+1500{}", self.exchange)
    }

    pub fn number(&self, call: usize) -> String {
        format!("{}{call:04}", self.prefix())
    }

    /// Places a call, keyed so that it can be asked for again. An error: no answer came.
    pub fn place(&self, to: &str, key: &str) -> Result<Said, String> {
        self.trigger_call(to, Some(key))
    }

    /// Places a call without a key.
    pub fn place_unkeyed(&self, to: &str) -> Result<Said, String> {
        self.trigger_call(to, None)
    }

    fn trigger_call(&self, to: &str, key: Option<&str>) -> Result<Said, String> {
        let path = format!("/api/v1/public/agent/{}", self.trigger());
        let mut request = self.request("POST", &path);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(json!({ "phone_number": to }).to_string().into_bytes());
        let answer = self.http.try_fetch(request.expect("well-formed"))?;
        let id = answer.headers().get("x-call-id");
        Ok(Said {
            status: answer.status().as_u16(),
            id: id.and_then(|id| id.to_str().ok()).map(str::to_owned),
        })
    }

    fn request(&self, method: &str, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.http.gateway))
            .header("x-api-key", self.key())
    }

    /// `GET` with the tenant's key; none while no answer of 200 comes.
    pub fn get(&self, path: &str) -> Option<Value> {
        let request = self.request("GET", path).body(Vec::new());
        let answer = self.http.try_fetch(request.expect("well-formed")).ok()?;
        (answer.status() == 200)
            .then(|| serde_json::from_slice(answer.body()).ok())
            .flatten()
    }

    pub fn send(&self, method: &str, path: &str, body: &Value) -> Response<Vec<u8>> {
        let request = self.request(method, path);
        let request = request.body(body.to_string().into_bytes());
        self.http.fetch(request.expect("well-formed"))
    }

    /// The call once it has ended.
    pub fn end(&self, id: &str, seconds: u64) -> Result<Value, String> {
        let mut last = Value::Null;
        eventually(seconds, || {
            let call = self.get(&format!("/v1/calls/{id}"))?;
            last = call.clone();
            (call["status"] == "ended").then_some(call)
        })
        .ok_or_else(|| format!("call {id} has not ended: {last:#}"))
    }

    /// The seats still taken, once none is or `seconds` are over.
    pub fn seats_taken(&self, seconds: u64) -> u64 {
        let mut taken = self.seats;
        eventually(seconds, || {
            let fleet = self.get("/health/fleet")?;
            let available = fleet["fleet_available"].as_u64()?;
            taken = self.seats.saturating_sub(available);
            (taken == 0).then_some(())
        });
        taken
    }

    /// Has the simulator meet this tenant's calls with faults: JSON as its README has it.
    pub fn faults(&self, faults: &Value) {
        self.tell_simulator(&format!("/_sim/faults/{}", self.prefix()), faults);
    }

    fn tell_simulator(&self, path: &str, told: &Value) {
        let request = Request::put(format!("{}{path}", self.http.simulator))
            .header("content-type", "application/json")
            .body(told.to_string().into_bytes());
        let answer = self.http.fetch(request.expect("well-formed"));
        let said = String::from_utf8_lossy(answer.body());
        assert!(answer.status().is_success(), "{said}");
    }

    /// How many of its requests and calls the simulator holds up.
    pub fn held(&self) -> u64 {
        let path = format!("/_sim/faults/{}", self.prefix());
        let faults = self.http.simulated(&path);
        faults["held"].as_u64().expect("a count")
    }

    /// Its calls as the simulator saw them, oldest first.
    pub fn simulated(&self) -> Vec<Value> {
        let path = format!("/_sim/calls?to=%2B{}", &self.prefix()[1..]);
        let calls = self.http.simulated(&path);
        calls.as_array().cloned().unwrap_or_default()
    }

    /// How often each number was rung.
    pub fn rung(&self) -> BTreeMap<String, usize> {
        let mut rung = BTreeMap::new();
        for call in self.simulated() {
            let to = call["to"].as_str().expect("a number").to_owned();
            *rung.entry(to).or_default() += 1;
        }
        rung
    }

    /// The most of its calls that were live at one time.
    pub fn most_live(&self) -> usize {
        let calls = self.simulated();
        let mut changes: Vec<(u64, i64)> = Vec::new();
        for call in &calls {
            changes.push((call["created_at_ms"].as_u64().expect("a time"), 1));
            changes.extend(call["ended_at_ms"].as_u64().map(|at| (at, -1)));
        }
        // Of one millisecond, ends come first.
        changes.sort_unstable();
        let live = changes.iter().scan(0, |live, (_, change)| {
            *live += change;
            Some(*live)
        });
        usize::try_from(live.max().unwrap_or_default()).expect("a count")
    }
}

/// Asks every fifth of a second until there is an answer or `seconds` are over.
pub fn eventually<T>(seconds: u64, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if begun.elapsed() > Duration::from_secs(seconds) {
            return None;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
