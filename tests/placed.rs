//! A call placed on a running stack, as its caller and as the simulated Twilio see it.

use crate::driver::{Driver, Http};
use http::Request;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub const KEY: &str = "rd_test_demo_rest_4f1c2a9e7b3d5860";
pub const AGENT: &str = "/api/v1/public/agent/5f0c3a52-6d1e-4c7b-9a38-2b7e41d0c9aa";
pub const DRAFT: &str = "/api/v1/public/agent/test/5f0c3a52-6d1e-4c7b-9a38-2b7e41d0c9aa";

/// A call being placed.
pub struct Placed {
    pub http: Http,
    pub status: u16,
    pub id: String,
}

pub fn place(path: &str, to: &str) -> Placed {
    let http = Http::from_env();
    let body = json!({
        "phone_number": to,
        "initial_context": { "customer_name": "Jane", "appointment_date": "March 15" },
    });
    let request = Request::post(path)
        .header("content-type", "application/json")
        .header("x-api-key", KEY)
        .body(body.to_string().into_bytes())
        .expect("well-formed");
    let answer = http.put_to(request);
    let id = answer
        .headers()
        .get("x-call-id")
        .map(|id| id.to_str().expect("well-formed").to_owned());
    Placed {
        http,
        status: answer.status().as_u16(),
        id: id.unwrap_or_default(),
    }
}

/// A call placed through our own API.
pub fn create(body: &Value) -> Placed {
    let http = Http::from_env();
    let request = Request::post("/v1/calls")
        .header("content-type", "application/json")
        .header("x-api-key", KEY)
        .body(body.to_string().into_bytes())
        .expect("well-formed");
    let answer = http.put_to(request);
    let call: Value = serde_json::from_slice(answer.body()).expect("well-formed");
    Placed {
        http,
        status: answer.status().as_u16(),
        id: call["id"].as_str().unwrap_or_default().to_owned(),
    }
}

impl Placed {
    /// `POST /v1/calls/{id}/{what}`
    pub fn ask(&self, what: &str) -> u16 {
        let request = Request::post(format!("/v1/calls/{}/{what}", self.id))
            .header("x-api-key", KEY)
            .body(Vec::new())
            .expect("well-formed");
        self.http.put_to(request).status().as_u16()
    }

    /// How often the simulator was asked to dial for this call: its token names it.
    pub fn dialled(&self) -> usize {
        let calls = self.http.simulated("/_sim/calls");
        let ours = |call: &&Value| {
            let parameters = call["parameters"].as_array().into_iter().flatten();
            parameters
                .filter(|pair| pair[0] == "Url")
                .any(|pair| pair[1].to_string().contains(&self.id))
        };
        calls.as_array().into_iter().flatten().filter(ours).count()
    }

    pub fn call(&self) -> Value {
        let request = Request::get(format!("/v1/calls/{}", self.id))
            .header("x-api-key", KEY)
            .body(Vec::new())
            .expect("well-formed");
        let answer = self.http.put_to(request);
        assert_eq!(
            answer.status(),
            200,
            "{}",
            String::from_utf8_lossy(answer.body())
        );
        serde_json::from_slice(answer.body()).expect("well-formed")
    }

    /// The call as the simulator saw it.
    pub fn simulated(&self) -> Value {
        let sid = self.call()["provider_sid"]
            .as_str()
            .expect("the call has a SID")
            .to_owned();
        self.http.simulated(&format!("/_sim/calls/{sid}"))
    }

    pub fn wait_until(&self, what: &str, seconds: u64, done: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let call = self.call();
            if done(&call) {
                return call;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(seconds),
                "not {what} after {seconds} s: {call:#}"
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    pub fn end(&self) -> Value {
        self.wait_until("ended", 90, |call| call["status"] == "ended")
    }

    #[track_caller]
    pub fn ends(&self, outcome: &str) -> Value {
        let call = self.end();
        assert_eq!(call["outcome"], outcome, "{call:#}");
        call
    }
}

pub fn has(call: &Value, event: &str) -> bool {
    offset(call, event).is_some()
}

pub fn offset(call: &Value, event: &str) -> Option<f64> {
    let timeline = call["timeline"].as_array()?;
    timeline.iter().find(|entry| entry["event"] == event)?["offset_s"].as_f64()
}

pub fn said(call: &Value, speaker: &str) -> Vec<String> {
    let lines = call["transcript"].as_array().into_iter().flatten();
    lines
        .filter(|line| line["speaker"] == speaker)
        .map(|line| line["text"].as_str().expect("well-formed").to_owned())
        .collect()
}

pub fn answered_well(callbacks: &Value) -> bool {
    let told = callbacks
        .as_array()
        .into_iter()
        .flatten()
        .filter(|callback| callback["dropped"] == false);
    let attempts = told.flat_map(|callback| callback["attempts"].as_array().into_iter().flatten());
    attempts
        .into_iter()
        .all(|attempt| matches!(attempt["status"].as_u64(), Some(200..=299)))
}
