//! One call, every vocabulary: a call made through any API and ended in any way, read through every other.

use super::{KEY, Placed, TOKEN, answered_in};
use calls::voice::EndedBy;
use http::Request;
use serde_json::{Value, json};
use tests::driver::Driver;
use tests::memory::Memory;

/// What each API is asked to place the same call.
fn requests() -> Vec<(&'static str, Value)> {
    let assistant = "019addcc-b878-7b10-85f1-49f21342f947";
    let to = "+15005550006";
    vec![
        (
            "/api/v1/public/agent/5f0c3a52-6d1e-4c7b-9a38-2b7e41d0c9aa",
            json!({ "phone_number": to }),
        ),
        (
            "/api/v1/dialout",
            json!({ "bot_id": "demo-bot", "to_number": to }),
        ),
        (
            "/calls/initiate",
            json!({ "assistant_id": 123, "to_phone_number": to }),
        ),
        (
            "/api/outbound",
            json!({
                "phoneNumber": to, "assistantId": assistant,
                "phoneNumberId": "6a1d2c3b-0000-4000-8000-000000000041",
            }),
        ),
        (
            "/api/v1/campaigns/publish-outbound-call",
            json!({ "assistant_id": assistant, "phone_number": to, "telephony_provider": "default" }),
        ),
        ("/v1/calls", json!({ "agent_id": "reminder", "to": to })),
    ]
}

fn place(memory: Memory, (path, body): &(&str, Value)) -> Placed {
    let request = Request::post(*path)
        .header("x-api-key", KEY)
        .body(body.to_string().into_bytes());
    let answer = memory.put_to(request.unwrap());
    Placed { memory, answer }
}

fn read(placed: &Placed, path: &str) -> Value {
    let request = Request::get(path).header("x-api-key", KEY);
    let answer = placed.memory.put_to(request.body(Vec::new()).unwrap());
    assert_eq!(answer.status(), 200, "{path}");
    serde_json::from_slice(answer.body()).unwrap()
}

/// Words for one end: asisso's, voicing's, AlloMia's and its reason, ours.
type Words = [&'static str; 5];

/// Checks a call in every API, by our id, by asisso's number and by Twilio's SID.
#[track_caller]
fn check(placed: &Placed, what: &str, words: Words) {
    let [run, details, outbound, reason, outcome] = words;
    let id = placed.id();
    let mut ids = vec![id.to_string(), id.run().to_string()];
    if placed.call()["provider_sid"].is_string() {
        ids.push(placed.sid());
    }
    for asked in ids {
        let what = format!("{what}, asked for {asked}");
        let shown = read(placed, &format!("/api/v1/runs/{asked}"));
        assert_eq!(shown["status"], run, "{what}: {shown:#}");
        assert_eq!(shown["is_completed"], true, "{what}");
        let voicemail = shown["gathered_context"]["voicemail_detected"] == true;
        assert_eq!(voicemail, outcome == "voicemail", "{what}");
        let shown = read(
            placed,
            &format!("/api/v1/campaigns/get-call-details/{asked}"),
        );
        assert_eq!(shown["status"], details, "{what}: {shown:#}");
        assert_eq!(shown["success"], true, "{what}");
        assert!(shown["ended_at"].is_string(), "{what}: {shown:#}");
        let shown = read(placed, &format!("/api/outbound/{asked}/status"));
        assert_eq!(shown["status"], outbound, "{what}: {shown:#}");
        let details = &shown["callDetails"];
        assert_eq!(details["endedReason"], reason, "{what}: {shown:#}");
        assert!(details["duration"].is_u64(), "{what}: {shown:#}");
        assert!(
            details["startedAt"].as_str() <= details["endedAt"].as_str(),
            "{what}: {shown:#}"
        );
        let shown = read(placed, &format!("/v1/calls/{asked}"));
        assert_eq!(shown["outcome"], outcome, "{what}: {shown:#}");
    }
}

fn not_connected(placed: &Placed, word: &str) {
    placed.status("ringing");
    assert_eq!(live(placed), ["ringing", "ringing", "calling", "ringing"]);
    placed.status(word);
}

/// The status of a call under way, in every API; AlloMia's details are not there yet.
fn live(placed: &Placed) -> [String; 4] {
    let id = placed.id();
    let outbound = read(placed, &format!("/api/outbound/{id}/status"));
    assert!(outbound.get("callDetails").is_none());
    let run = read(placed, &format!("/api/v1/runs/{id}"));
    let details = read(
        placed,
        &format!("/api/v1/campaigns/get-call-details?call_id={id}"),
    );
    [run, details, outbound, placed.call()]
        .map(|shown| shown["status"].as_str().unwrap().to_owned())
}

#[test]
fn every_end_in_every_api() {
    let conversations: [(EndedBy, &str, Words); 6] = [
        (
            EndedBy::Contact,
            "contact_hung_up",
            [
                "completed",
                "completed",
                "completed",
                "customer-ended-call",
                "completed",
            ],
        ),
        (
            EndedBy::Agent,
            "agent_ended",
            [
                "completed",
                "completed",
                "completed",
                "assistant-ended-call",
                "completed",
            ],
        ),
        (
            EndedBy::Timeout,
            "max_duration",
            [
                "completed",
                "completed",
                "completed",
                "exceeded-max-duration",
                "completed",
            ],
        ),
        (
            EndedBy::Timeout,
            "silence",
            [
                "completed",
                "completed",
                "completed",
                "silence-timed-out",
                "completed",
            ],
        ),
        (
            EndedBy::Gateway,
            "stopped",
            [
                "completed",
                "completed",
                "completed",
                "manually-canceled",
                "completed",
            ],
        ),
        (
            EndedBy::Error,
            "voice_failed",
            ["failed", "failed", "failed", "assistant-error", "failed"],
        ),
    ];
    for request in &requests() {
        let path = request.0;
        for (word, words) in [
            ("busy", ["busy", "busy", "busy", "customer-busy", "busy"]),
            (
                "no-answer",
                [
                    "no-answer",
                    "no-answer",
                    "no-answer",
                    "customer-did-not-answer",
                    "no_answer",
                ],
            ),
            (
                "failed",
                [
                    "failed",
                    "failed",
                    "failed",
                    "twilio-failed-to-connect-call",
                    "failed",
                ],
            ),
            (
                "canceled",
                [
                    "canceled",
                    "canceled",
                    "failed",
                    "manually-canceled",
                    "canceled",
                ],
            ),
        ] {
            let placed = place(Memory::demo(), request);
            assert_eq!(
                live(&placed),
                ["initiated", "initiated", "calling", "dialing"]
            );
            not_connected(&placed, word);
            check(&placed, &format!("{path}: {word}"), words);
        }
        for (by, reason, words) in conversations {
            let placed = answered_in(place(Memory::demo(), request));
            assert_eq!(
                live(&placed),
                ["in-progress", "in-progress", "calling", "in_progress"]
            );
            placed.voice_ended(by, reason);
            placed.status("completed");
            check(&placed, &format!("{path}: {reason}"), words);
        }
        let placed = answered_in(place(Memory::demo(), request));
        placed.callback(
            "AsyncAmdStatusCallback",
            &[("AnsweredBy", "machine_start")],
            TOKEN,
        );
        placed.status("completed");
        let words = [
            "completed",
            "completed",
            "completed",
            "voicemail",
            "voicemail",
        ];
        check(&placed, &format!("{path}: voicemail"), words);

        let placed = answered_in(place(Memory::demo(), request));
        placed.voice_ended(EndedBy::Contact, "contact_hung_up");
        placed.memory.twilio.down.set(true);
        placed.pass(400);
        let words = ["error", "failed", "failed", "unknown-error", "lost"];
        check(&placed, &format!("{path}: lost"), words);
    }
}

/// Calls that never rang: no seat was free, or Twilio refused them. Their ids stand in no answer, but on a
/// timeline or in a log.
#[test]
fn refused_calls_in_every_api() {
    for request in &requests() {
        let memory = Memory::demo();
        memory.hold_seats("demo", 10, calls::time::Time(u64::MAX));
        let placed = place(memory, request);
        assert!(!placed.answer.status().is_success());
        let words = ["failed", "failed", "failed", "call-start-error", "refused"];
        check(&placed, &format!("{}: no seat", request.0), words);

        let mut refused = request.clone();
        for field in [
            "phone_number",
            "to_number",
            "to_phone_number",
            "phoneNumber",
            "to",
        ] {
            if let Some(to) = refused.1.get_mut(field) {
                *to = json!("+15005550001");
            }
        }
        let placed = place(Memory::demo(), &refused);
        assert!(!placed.answer.status().is_success());
        let words = [
            "failed",
            "failed",
            "failed",
            "twilio-failed-to-connect-call",
            "failed",
        ];
        check(&placed, &format!("{}: refused by Twilio", request.0), words);
    }
}
