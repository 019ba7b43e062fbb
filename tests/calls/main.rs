//! Whole calls on a running stack: real host, real voice containers, the simulator as Twilio.
//! `cargo verify` starts the stack and sets `GATEWAY` and `SIMULATOR`.

mod crm;
mod opt_out;

use calls::time::Time;
use http::Request;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tests::driver::Driver;
use tests::placed::{AGENT, DRAFT, Placed, answered_well, create, has, offset, place, said};

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
        let ours = placed.dialled();
        assert_eq!(ours, 1, "{to} was dialled {ours} times");
    }
}

fn in_s(seconds: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now_ms = u64::try_from(now.as_millis()).unwrap();
    Time(now_ms).plus_s(seconds).rfc3339()
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn a_call_for_later_is_dialled_once() {
    let placed = create(&json!({
        "agent_id": "reminder", "to": "+15005550010", "earliest_at": in_s(3),
    }));
    assert_eq!(placed.status, 201);
    assert_eq!(placed.call()["status"], "scheduled");
    assert_eq!(placed.dialled(), 0);
    let call = placed.ends("busy");
    assert!(offset(&call, "fired") >= Some(1.5), "{call:#}");
    assert_eq!(placed.dialled(), 1);
    assert_eq!(placed.ask("cancel"), 409);
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn a_call_cancelled_in_time_is_not_dialled() {
    let placed = create(&json!({
        "agent_id": "reminder", "to": "+15005550010", "earliest_at": in_s(3),
    }));
    assert_eq!(placed.ask("cancel"), 200);
    std::thread::sleep(Duration::from_secs(6));
    placed.ends("canceled");
    assert_eq!(placed.ask("cancel"), 200);
    assert_eq!(placed.dialled(), 0);
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn a_busy_line_is_tried_again() {
    let first = create(&json!({
        "agent_id": "reminder", "to": "+15005550010", "retry": { "max_attempts": 2, "delay_s": 1 },
    }));
    first.ends("busy");
    let planned = first.wait_until("tried again", 20, |call| !call["next_call_id"].is_null());
    assert_eq!(planned["is_last_attempt"], false);
    let second = Placed {
        id: planned["next_call_id"].as_str().unwrap().to_owned(),
        ..first
    };
    let call = second.ends("busy");
    assert_eq!(call["first_call_id"], planned["id"]);
    assert_eq!(
        (&call["attempt"], &call["is_last_attempt"]),
        (&json!(2), &json!(true))
    );
    assert_eq!(second.dialled(), 1);
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn a_message_is_left_on_a_mailbox() {
    let placed = create(&json!({
        "agent_id": "messenger", "to": "+15005550013", "variables": { "name": "Jane" },
    }));
    let call = placed.ends("voicemail");
    assert_eq!(call["end_reason"], "message_left", "{call:#}");
    assert_eq!(call["message_left"], true);
    let recorded = &placed.simulated()["mailbox"]["message"];
    assert_eq!(*recorded, json!(["Hello Jane, please call the clinic."]));
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
    // The voice's own last word may still be on its way.
    let call = || {
        let mut call = placed.call();
        let timeline = call["timeline"].as_array_mut().unwrap();
        timeline.retain(|entry| entry["source"] != "voice");
        call
    };
    let before = call();
    assert_eq!(send("completed"), 403);
    assert_eq!(call(), before);
    // The genuine one, again: nothing new.
    assert_eq!(send(""), 204);
    assert_eq!(call(), before);
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

/// AlloMia's, voicing's and asisso's words for a call, and AlloMia's reason for its end.
fn words(placed: &Placed) -> [String; 4] {
    let read = |path: String| -> Value {
        let request = Request::get(path).header("x-api-key", tests::placed::KEY);
        let answer = placed.http.put_to(request.body(Vec::new()).unwrap());
        assert_eq!(answer.status(), 200);
        serde_json::from_slice(answer.body()).unwrap()
    };
    let id = &placed.id;
    let outbound = read(format!("/api/outbound/{id}/status"));
    let details = read(format!("/api/v1/campaigns/get-call-details/{id}"));
    let run = read(format!("/api/v1/runs/{id}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    [
        text(&outbound["status"]),
        text(&outbound["callDetails"]["endedReason"]),
        text(&details["status"]),
        text(&run["status"]),
    ]
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn every_api_has_its_words_for_an_end() {
    for (to, expected) in [
        ("+15005550010", ["busy", "customer-busy", "busy", "busy"]),
        (
            "+15005550012",
            [
                "failed",
                "twilio-failed-to-connect-call",
                "failed",
                "failed",
            ],
        ),
        (
            "+15005550013",
            ["completed", "voicemail", "completed", "completed"],
        ),
    ] {
        let placed = place(AGENT, to);
        placed.end();
        assert_eq!(words(&placed), expected, "{to}");
    }
}
