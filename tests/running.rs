//! A gateway and a simulator that run, over HTTP.

use crate::driver::{Driver, SIMULATOR};
use http::{HeaderMap, Request, Response};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

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

    /// Has the simulator do this to calls to numbers that begin so, or to all.
    fn faults(&self, to: &str, faults: &Value) {
        let path = format!("{}/_sim/faults/{to}", self.simulator);
        let request = Request::put(path.trim_end_matches('/'))
            .header("content-type", "application/json")
            .body(faults.to_string().into_bytes())
            .expect("a request");
        self.fetch(request);
    }

    /// The simulator's account of a call of ours: its token is in the address Twilio was given.
    fn dialled_for(&self, call: &str) -> Option<Value> {
        let Value::Array(calls) = self.simulated("/_sim/calls") else {
            return None;
        };
        let ours = |simulated: &Value| {
            let parameters = simulated["parameters"].as_array().into_iter().flatten();
            let mut urls = parameters.filter(|pair| pair[0] == "Url");
            urls.any(|pair| pair[1].to_string().contains(call))
        };
        calls.into_iter().rfind(ours)
    }

    /// Until the simulator's call has ended, and the gateway was told.
    fn wait_for_end(&self, sid: &str) {
        let begun = Instant::now();
        loop {
            let call = self.simulated(&format!("/_sim/calls/{sid}"));
            let told = |callback: &Value| {
                callback["event"] == "completed"
                    && (callback["dropped"] == true || callback["attempts"][0].is_object())
            };
            if call["callbacks"]
                .as_array()
                .is_some_and(|all| all.iter().any(told))
            {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "a call is still live at the simulator: {call}"
            );
            std::thread::sleep(Duration::from_millis(20));
            self.steer(sid, &json!({ "action": "hangup" }));
        }
    }

    fn call(&self, call: &str, key: &HeaderMap) -> Value {
        let mut request = Request::get(format!("/v1/calls/{call}"));
        for name in ["authorization", "x-api-key"] {
            if let Some(value) = key.get(name) {
                request = request.header(name, value);
            }
        }
        let answer = self.put_to(request.body(Vec::new()).expect("a request"));
        serde_json::from_slice(answer.body()).unwrap_or_default()
    }

    /// Reads the call until it is as wanted.
    fn wait(
        &self,
        call: &str,
        key: &HeaderMap,
        as_wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value, String> {
        let begun = Instant::now();
        loop {
            let shown = self.call(call, key);
            if as_wanted(&shown) {
                return Ok(shown);
            }
            if begun.elapsed() > Duration::from_secs(60) {
                return Err(format!("after a minute the call is {shown}"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
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

    fn becomes(&self, call: &str, word: &str, key: &HeaderMap) -> Result<(), String> {
        let dialled = self.dialled_for(call).ok_or("the call was not dialled")?;
        let to = dialled["to"].as_str().unwrap_or_default();
        self.faults(to, &json!({ "ring_ms": 200, "call_ms": 60_000 }));
        if matches!(word, "completed" | "in_progress") {
            // What the agent says first is on its way by then.
            self.wait(call, key, |call| {
                call["first_audio_at"].is_string() || call["status"] == "ended"
            })?;
        }
        if word == "in_progress" {
            return Ok(());
        }
        if word == "completed" {
            let sid = dialled["sid"].as_str().unwrap_or_default();
            self.steer(sid, &json!({ "action": "hangup" }));
        }
        let ended = self.wait(call, key, |call| call["status"] == "ended")?;
        self.faults(to, &json!({ "hold": "ring" }));
        match ended["outcome"] == word {
            true => Ok(()),
            false => Err(format!("the call ended as {}", ended["outcome"])),
        }
    }

    fn letter(&self, inbox: &str) -> Option<Vec<u8>> {
        for _ in 0..200 {
            let letters = self.simulated(&format!("/_sim/inbox/{inbox}/requests"));
            if let Some(body) = letters[0]["body"].as_str() {
                return Some(body.as_bytes().to_vec());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        None
    }

    fn will_answer(&self, inbox: &str, body: Vec<u8>) {
        let body = String::from_utf8(body).expect("text");
        let answer = json!({ "body": body, "times": 1 });
        let request = Request::put(format!("{}/_sim/inbox/{inbox}/answer", self.simulator))
            .header("content-type", "application/json")
            .body(answer.to_string().into_bytes())
            .expect("a request");
        self.fetch(request);
    }

    fn still(&self) {
        self.faults("", &json!({ "hold": "ring" }));
    }

    fn calm(&self) {
        // Hung up before they are let go, so that none of them rings.
        let live = self.live();
        for sid in &live {
            self.steer(sid, &json!({ "action": "hangup" }));
        }
        let request = Request::delete(format!("{}/_sim/faults", self.simulator));
        self.fetch(request.body(Vec::new()).expect("a request"));
        for sid in &live {
            self.wait_for_end(sid);
        }
    }
}
