//! Whole calls on a running stack: real host, real voice containers, the simulator as Twilio.
//! `cargo verify` starts the stack and sets `GATEWAY`, `SIMULATOR` and `HOST` (`worker` or `spin`).

use http::Request;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};
use tests::driver::{Driver, Http};

const KEY: &str = "rd_test_demo_rest_4f1c2a9e7b3d5860";
const AGENT: &str = "/api/v1/public/agent/5f0c3a52-6d1e-4c7b-9a38-2b7e41d0c9aa";
const DRAFT: &str = "/api/v1/public/agent/test/5f0c3a52-6d1e-4c7b-9a38-2b7e41d0c9aa";

/// A call being placed.
struct Placed {
    http: Http,
    status: u16,
    id: String,
}

fn place(path: &str, to: &str) -> Placed {
    let http = Http::from_env();
    let body = json!({
        "phone_number": to,
        "initial_context": { "customer_name": "Jane", "appointment_date": "March 15" },
    });
    let request = Request::post(path)
        .header("content-type", "application/json")
        .header("x-api-key", KEY)
        .body(body.to_string().into_bytes())
        .unwrap();
    let answer = http.put_to(request);
    let id = answer
        .headers()
        .get("x-call-id")
        .map(|id| id.to_str().unwrap().to_owned());
    Placed {
        http,
        status: answer.status().as_u16(),
        id: id.unwrap_or_default(),
    }
}

impl Placed {
    fn call(&self) -> Value {
        let request = Request::get(format!("/v1/calls/{}", self.id))
            .header("x-api-key", KEY)
            .body(Vec::new())
            .unwrap();
        let answer = self.http.put_to(request);
        assert_eq!(
            answer.status(),
            200,
            "{}",
            String::from_utf8_lossy(answer.body())
        );
        serde_json::from_slice(answer.body()).unwrap()
    }

    /// The call as the simulator saw it.
    fn simulated(&self) -> Value {
        let sid = self.call()["provider_sid"]
            .as_str()
            .expect("the call has a SID")
            .to_owned();
        self.http.simulated(&format!("/_sim/calls/{sid}"))
    }

    fn wait_until(&self, what: &str, seconds: u64, done: impl Fn(&Value) -> bool) -> Value {
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

    fn end(&self) -> Value {
        self.wait_until("ended", 90, |call| call["status"] == "ended")
    }

    #[track_caller]
    fn ends(&self, outcome: &str) -> Value {
        let call = self.end();
        assert_eq!(call["outcome"], outcome, "{call:#}");
        call
    }
}

fn has(call: &Value, event: &str) -> bool {
    offset(call, event).is_some()
}

fn offset(call: &Value, event: &str) -> Option<f64> {
    let timeline = call["timeline"].as_array()?;
    timeline.iter().find(|entry| entry["event"] == event)?["offset_s"].as_f64()
}

fn said(call: &Value, speaker: &str) -> Vec<String> {
    let lines = call["transcript"].as_array().into_iter().flatten();
    lines
        .filter(|line| line["speaker"] == speaker)
        .map(|line| line["text"].as_str().unwrap().to_owned())
        .collect()
}

fn answered_well(callbacks: &Value) -> bool {
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

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn a_conversation() {
    let placed = place(AGENT, "+15005550006");
    assert_eq!(placed.status, 200);
    let call = placed.ends("completed");
    for event in [
        "created",
        "dialled",
        "ringing",
        "answered",
        "media_started",
        "greeting",
        "line",
        "ended",
    ] {
        assert!(has(&call, event), "no {event}: {call:#}");
    }
    let agent = said(&call, "agent");
    assert!(
        agent
            .iter()
            .any(|line| line.contains("Hello Jane, this is the clinic")),
        "{agent:?}"
    );
    assert!(
        !said(&call, "contact").is_empty(),
        "nobody answered the agent: {call:#}"
    );
    // The container starts once Twilio has accepted, and is there before the answer.
    let at = |event| offset(&call, event).unwrap_or_else(|| panic!("no {event}: {call:#}"));
    assert!(
        at("dialled") <= at("voice_ready") && at("voice_ready") <= at("media_started"),
        "{call:#}"
    );

    let simulated = placed.simulated();
    let media = &simulated["media"];
    assert!(media["agent_speech_ms"].as_u64() > Some(1_000), "{media}");
    assert!(
        media["frames_sent"].as_u64() > Some(100) && media["frames_received"].as_u64() > Some(10),
        "{media}"
    );
    assert!(
        answered_well(&simulated["callbacks"]),
        "{:#}",
        simulated["callbacks"]
    );
    println!(
        "first audio {} ms after the media socket opened",
        media["first_audio_ms"]
    );
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn draft_and_published_greet_differently() {
    let (published, draft) = (place(AGENT, "+15005550006"), place(DRAFT, "+15005550006"));
    let greeting = |placed: &Placed| said(&placed.ends("completed"), "agent").join(" ");
    let (published, draft) = (greeting(&published), greeting(&draft));
    assert!(published.contains("this is the clinic"), "{published}");
    assert!(draft.contains("the draft of our new reminder"), "{draft}");
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn not_connected() {
    for (to, outcome) in [
        ("+15005550010", "busy"),
        ("+15005550011", "no_answer"),
        ("+15005550012", "failed"),
    ] {
        place(AGENT, to).ends(outcome);
    }
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn a_mailbox() {
    let call = place(AGENT, "+15005550013").ends("voicemail");
    assert!(
        call["answered_by"]
            .as_str()
            .is_some_and(|by| by.starts_with("machine")),
        "{call:#}"
    );
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn callbacks_late() {
    place(AGENT, "+15005550014").ends("completed");
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn callbacks_twice_and_out_of_order() {
    place(AGENT, "+15005550015").ends("completed");
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn the_final_callback_never_comes() {
    let call = place(AGENT, "+15005550016").ends("completed");
    assert!(has(&call, "completed"), "{call:#}");
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn unclear_dials_ring_once() {
    for to in ["+15005550017", "+15005550018"] {
        let placed = place(AGENT, to);
        assert_eq!(placed.status, 200, "{to}");
        placed.ends("completed");
        let calls = placed.http.simulated("/_sim/calls");
        let sid = placed.call()["provider_sid"].clone();
        let url = |call: &Value| {
            let parameters = call["parameters"].as_array().cloned().unwrap_or_default();
            parameters
                .iter()
                .find(|pair| pair[0] == "Url")
                .map(|pair| pair[1].to_string())
                .unwrap_or_default()
        };
        let ours = calls
            .as_array()
            .unwrap()
            .iter()
            .filter(|call| url(call).contains(&placed.id))
            .count();
        assert_eq!(ours, 1, "{to} with SID {sid} was dialled {ours} times");
    }
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn refused_dials() {
    for (to, status) in [
        ("+15005550001", 400),
        ("+15005550002", 400),
        ("+15005550003", 400),
        ("+15005550004", 400),
        ("+15005550019", 429),
    ] {
        assert_eq!(place(AGENT, to).status, status, "{to}");
    }
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn a_tampered_callback_changes_nothing() {
    let placed = place(AGENT, "+15005550010");
    placed.ends("busy");
    let simulated = placed.simulated();
    let callback = &simulated["callbacks"][0];
    let signature = callback["attempts"][0]["signature"].as_str().unwrap();
    let path = callback["url"].as_str().unwrap().split('#').next().unwrap();
    let path = path
        .splitn(4, '/')
        .nth(3)
        .map(|path| format!("/{path}"))
        .unwrap();
    let send = |word: &str| {
        let mut form = form_urlencoded::Serializer::new(String::new());
        for pair in callback["fields"].as_array().unwrap() {
            let name = pair[0].as_str().unwrap();
            let value = if name == "CallStatus" && !word.is_empty() {
                word
            } else {
                pair[1].as_str().unwrap()
            };
            form.append_pair(name, value);
        }
        let request = Request::post(&path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-twilio-signature", signature)
            .body(form.finish().into_bytes())
            .unwrap();
        placed.http.put_to(request).status().as_u16()
    };
    let before = placed.call();
    assert_eq!(send("completed"), 403);
    assert_eq!(placed.call(), before);
    // The genuine one, again: nothing new.
    assert_eq!(send(""), 204);
    assert_eq!(placed.call(), before);
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn a_key_pressed_is_answered() {
    let placed = place(AGENT, "+15005550006");
    placed.wait_until("greeting", 40, |call| has(call, "greeting"));
    let sid = placed.call()["provider_sid"].as_str().unwrap().to_owned();
    placed
        .http
        .steer(&sid, &json!({ "action": "dtmf", "digit": "1" }));
    let call = placed.ends("completed");
    assert!(
        said(&call, "contact")
            .iter()
            .any(|line| line.contains("dtmf 1")),
        "{call:#}"
    );
    assert!(
        said(&call, "agent")
            .iter()
            .any(|line| line.contains("confirmed")),
        "{call:#}"
    );
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn an_interrupted_agent_falls_silent() {
    let placed = place(AGENT, "+15005550006");
    placed.wait_until("greeting", 40, |call| has(call, "greeting"));
    std::thread::sleep(Duration::from_millis(1_500));
    let sid = placed.call()["provider_sid"].as_str().unwrap().to_owned();
    placed.http.steer(&sid, &json!({ "action": "speak" }));
    placed.ends("completed");
    let media = placed.simulated()["media"].clone();
    assert!(media["clears"].as_u64() > Some(0), "{media}");
}

/// Two calls have two containers. One is killed: its call ends with an honest reason, the other goes on.
#[test]
#[ignore = "needs a running stack and a Docker Engine: cargo verify"]
fn a_killed_container_takes_one_call_along() {
    let mine = |id: &str| -> BTreeSet<String> {
        containers()
            .into_iter()
            .filter(|(_, of)| of == id || of.is_empty())
            .map(|(name, _)| name)
            .collect()
    };
    let before: BTreeSet<String> = containers().into_iter().map(|(name, _)| name).collect();
    let doomed = place(AGENT, "+15005550006");
    doomed.wait_until("greeting", 40, |call| has(call, "greeting"));
    let new: BTreeSet<String> = mine(&doomed.id).difference(&before).cloned().collect();
    assert_eq!(new.len(), 1, "one call, one container: {new:?}");
    let spared = place(AGENT, "+15005550006");
    spared.wait_until("greeting", 40, |call| has(call, "greeting"));
    let name = new.into_iter().next().unwrap();
    let killed = Command::new("docker")
        .args(["kill", &name])
        .output()
        .unwrap();
    assert!(
        killed.status.success(),
        "{}",
        String::from_utf8_lossy(&killed.stderr)
    );
    let call = doomed.ends("failed");
    assert_eq!(call["end_reason"], "voice_lost", "{call:#}");
    spared.ends("completed");
    let gone = Instant::now();
    while containers()
        .iter()
        .any(|(container, of)| *of == spared.id || *container == name)
    {
        assert!(
            gone.elapsed() < Duration::from_secs(10),
            "containers are still there: {:?}",
            containers()
        );
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// Names of running voice containers, with the call's id where the launcher labelled them.
fn containers() -> Vec<(String, String)> {
    let format = r#"{{.Names}} {{.Label "ringdown-call"}}"#;
    let listed = Command::new("docker")
        .args(["ps", "--format", format])
        .output()
        .expect("docker runs");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let split = |line: &str| {
        line.split_once(' ')
            .map(|(name, call)| (name.to_owned(), call.trim().to_owned()))
    };
    listed
        .lines()
        .filter_map(split)
        .filter(|(name, call)| name.starts_with("workerd-") || !call.is_empty())
        .collect()
}
