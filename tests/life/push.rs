//! The post-call push: an agent's CRM is told of each call's end, in the CRM's own words.

use super::{KEY, Placed, TOKEN, answered_in, crm::import};
use calls::voice::EndedBy;
use http::{Request, Response};
use serde_json::{Value, json};
use tests::driver::Driver;
use tests::memory::Memory;

const CRM: &str = "https://crm.example.com/calls";
const HOOK: &str = "https://hooks.example.com/analysed";

/// A call of an agent with a CRM, to be answered.
fn place(push: &Value, more: &Value) -> Placed {
    let memory = Memory::demo();
    let mut agent = json!({
        "type": "agent", "id": "pushing", "organization": "demo", "owner": "founder", "bot_id": "pushing",
        "timezone": "Asia/Kolkata", "published": { "greeting": "Hello." },
        "post_call_push": { "url": CRM, "headers": { "Authorization": "Bearer push-secret" } },
    });
    for (name, value) in push.as_object().unwrap() {
        agent["post_call_push"][name] = value.clone();
    }
    for (name, value) in more.as_object().unwrap() {
        agent[name] = value.clone();
    }
    import(&memory, &agent);
    let body = json!({
        "bot_id": "pushing", "to_number": "+15005550006",
        "variables": { "customer_id": "C-77", "plan": { "tier": 2 }, "note": "{{crm.customer_id}}" },
    });
    let request = Request::post("/api/v1/dialout")
        .header("x-api-key", KEY)
        .body(body.to_string().into_bytes());
    let answer = memory.put_to(request.unwrap());
    assert_eq!(answer.status(), 200);
    Placed { memory, answer }
}

fn hang_up(placed: &Placed, by: EndedBy, reason: &str) {
    placed.memory.pass_s(12);
    placed.voice_ended(by, reason);
    placed.status("completed");
    placed.pass(1);
}

fn sent_to(placed: &Placed, url: &str) -> Vec<(Request<Vec<u8>>, Value)> {
    let seen = placed.memory.outside.seen.borrow();
    let to = seen.iter().filter(|request| request.uri() == url);
    to.map(|request| {
        (
            request.clone(),
            serde_json::from_slice(request.body()).unwrap(),
        )
    })
    .collect()
}

fn pushed(placed: &Placed) -> Vec<(Request<Vec<u8>>, Value)> {
    sent_to(placed, CRM)
}

#[test]
fn the_whole_record_without_a_key_mapper() {
    let placed = answered_in(place(&json!({}), &json!({})));
    hang_up(&placed, EndedBy::Contact, "contact_hung_up");
    placed.pass(100);
    let pushed = pushed(&placed);
    assert_eq!(pushed.len(), 1);
    let (request, body) = &pushed[0];
    assert_eq!(request.method(), "POST");
    assert_eq!(request.headers()["authorization"], "Bearer push-secret");
    assert_eq!(request.headers()["content-type"], "application/json");
    assert!(request.headers().contains_key("webhook-id"));
    assert_eq!(
        *body,
        json!({
            "session_id": placed.id().to_string(),
            "caller_id": "+15005550006",
            "call_duration_seconds": 12.0,
            "disconnected_by": "customer",
            "transcript": [
                { "speaker": "bot", "text": "Hello", "timestamp": "2026-11-20T09:30:15.000Z" },
            ],
            "recording_url": null,
            "post_call_analysis": null,
        })
    );
    // A float, also where it is whole.
    assert!(String::from_utf8_lossy(request.body()).contains(r#""call_duration_seconds":12.0"#));
}

#[test]
fn the_key_mapper_chooses_names_and_values() {
    let mapper = json!({
        "method": "PUT",
        "key_mapper": {
            "lead_id": "{{crm.customer_id}}",
            "tier": "tier {{ call.plan }}",
            "note": "{{call.note}}",
            "disposition": "{{analysis.DISPOSITION}}",
            "sub": "{{analysis.more.SUB}}",
            "duration": "{{result.call_duration_seconds}}",
            "ended_by": "{{result.disconnected_by}}",
            "how": "{{result.disposition}}",
            "ended_at": "{{result.end_time}}",
            "said": "{{result.transcript}}",
            "recording": "{{result.recording_url}}",
            "id": "{{call.call_id}}",
            "phone": "{{call.callerId}}",
            "day": "{{system.current_date}}",
            "nobody": "{{crm.gone}}{{qc.SCORE}}",
            "fixed": "ringdown",
        },
    });
    let analysis = json!({ "post_call_analysis": { "prompt": "Paid?" } });
    let placed = answered_in(place(&mapper, &analysis));
    let said = json!({ "choices": [{ "message": { "content": r#"{"DISPOSITION":"PAID","more":{"SUB":3}}"# } }] });
    let said = Response::new(said.to_string().into_bytes());
    placed.memory.outside.will_answer(Memory::ANALYST, Ok(said));
    hang_up(&placed, EndedBy::Agent, "agent_ended");
    let pushed = pushed(&placed);
    let (request, body) = &pushed[0];
    assert_eq!(request.method(), "PUT");
    assert_eq!(
        *body,
        json!({
            "lead_id": "C-77",
            "tier": r#"tier {"tier":2}"#,
            "note": "{{crm.customer_id}}",
            "disposition": "PAID",
            "sub": "3",
            "duration": "12",
            "ended_by": "bot",
            "how": "Connected",
            "ended_at": "2026-11-20T15:00:15+05:30",
            "said": r#"[{"speaker":"bot","text":"Hello","timestamp":"2026-11-20T09:30:15.000Z"}]"#,
            "recording": "",
            "id": placed.id().to_string(),
            "phone": "+15005550006",
            "day": "2026-11-20",
            "nobody": "",
            "fixed": "ringdown",
        })
    );
}

/// Who ended the call, in the document's six words.
#[test]
fn every_end_has_its_word() {
    for (by, reason, word) in [
        (EndedBy::Contact, "contact_hung_up", "customer"),
        (EndedBy::Agent, "agent_ended", "bot"),
        (EndedBy::Timeout, "silence", "timeout"),
        (EndedBy::Timeout, "max_duration", "timeout"),
        (EndedBy::Error, "voice_failed", "error"),
    ] {
        let placed = answered_in(place(&json!({}), &json!({})));
        hang_up(&placed, by, reason);
        assert_eq!(pushed(&placed)[0].1["disconnected_by"], word, "{reason}");
    }
    for (status, word) in [
        ("busy", "RNR"),
        ("no-answer", "RNR"),
        ("failed", "error"),
        ("canceled", "error"),
    ] {
        let placed = place(&json!({}), &json!({}));
        placed.status(status);
        placed.pass(1);
        let body = &pushed(&placed)[0].1;
        assert_eq!(body["disconnected_by"], word, "{status}");
        assert_eq!(body["call_duration_seconds"], 0.0);
    }
    let placed = answered_in(place(&json!({}), &json!({})));
    placed.callback(
        "AsyncAmdStatusCallback",
        &[("AnsweredBy", "machine_start")],
        TOKEN,
    );
    placed.status("completed");
    placed.pass(1);
    assert_eq!(pushed(&placed)[0].1["disconnected_by"], "voicemail");
}

#[test]
fn a_push_that_fails_is_sent_again_as_it_was() {
    let placed = answered_in(place(&json!({}), &json!({})));
    let down = Response::builder().status(503).body(Vec::new()).unwrap();
    placed.memory.outside.will_answer(CRM, Ok(down));
    hang_up(&placed, EndedBy::Contact, "contact_hung_up");
    placed.pass(60);
    let pushed = pushed(&placed);
    assert_eq!(pushed.len(), 2);
    assert_eq!(pushed[0].1, pushed[1].1);
    let id = |index: usize| pushed[index].0.headers()["webhook-id"].clone();
    assert_eq!(id(0), id(1));
}

/// An agent that no longer wants it is not pushed to again.
#[test]
fn what_is_configured_when_it_is_sent_counts() {
    let placed = answered_in(place(&json!({}), &json!({})));
    let down = Response::builder().status(503).body(Vec::new()).unwrap();
    placed.memory.outside.will_answer(CRM, Ok(down));
    hang_up(&placed, EndedBy::Contact, "contact_hung_up");
    let agent = json!({
        "type": "agent", "id": "pushing", "organization": "demo", "owner": "founder", "bot_id": "pushing",
        "published": { "greeting": "Hello." },
    });
    import(&placed.memory, &agent);
    placed.pass(60);
    assert_eq!(pushed(&placed).len(), 1);
}

/// The end is reported without an analysis that takes long, which is then told of by itself.
#[test]
fn a_late_analysis_is_a_report_of_its_own() {
    let analysis = json!({ "post_call_analysis": { "prompt": "Paid?" } });
    let placed = answered_in(place(&json!({}), &analysis));
    let asked = json!({ "url": HOOK, "events": ["call.ended", "call.analysis_ready"] });
    let request = Request::post("/v1/webhooks")
        .header("x-api-key", KEY)
        .body(asked.to_string().into_bytes());
    assert_eq!(placed.memory.put_to(request.unwrap()).status(), 201);
    let down = Response::builder().status(503).body(Vec::new()).unwrap();
    placed.memory.outside.will_answer(Memory::ANALYST, Ok(down));
    let said = json!({ "choices": [{ "message": { "content": r#"{"DISPOSITION":"PAID"}"# } }] });
    let said = Response::new(said.to_string().into_bytes());
    placed.memory.outside.will_answer(Memory::ANALYST, Ok(said));
    hang_up(&placed, EndedBy::Contact, "contact_hung_up");
    let told = |placed: &Placed| -> Vec<(String, u64, Value)> {
        let bodies = sent_to(placed, HOOK).into_iter().map(|(_, body)| body);
        bodies
            .map(|body| {
                (
                    body["type"].as_str().unwrap().to_owned(),
                    body["sequence"].as_u64().unwrap(),
                    body["data"]["post_call_analysis"]["DISPOSITION"].clone(),
                )
            })
            .collect()
    };
    assert_eq!(told(&placed), [("call.ended".to_owned(), 1, Value::Null)]);
    placed.pass(2000);
    assert_eq!(
        told(&placed)[1..],
        [("call.analysis_ready".to_owned(), 2, json!("PAID"))]
    );
    assert_eq!(pushed(&placed).len(), 1, "the push is not repeated");
}

#[test]
fn its_secret_is_sealed() {
    let placed = place(&json!({}), &json!({}));
    let stored = placed.memory.config.stored.borrow()["agent/pushing"].clone();
    assert!(!stored.contains("push-secret"), "{stored}");
}

/// Whoever asked was answered that nothing was placed: its CRM gets no record for each try.
#[test]
fn what_was_refused_is_not_pushed() {
    let placed = place(&json!({}), &json!({}));
    for to in ["+15005550019", "+15005550001"] {
        let body = json!({ "bot_id": "pushing", "to_number": to });
        let request = Request::post("/api/v1/dialout").header("x-api-key", KEY);
        let request = request.body(body.to_string().into_bytes()).unwrap();
        assert!(!placed.memory.put_to(request).status().is_success());
    }
    placed.pass(5);
    assert_eq!(placed.memory.calls.borrow().len(), 3);
    assert!(pushed(&placed).is_empty());
}

/// "Whether received via webhook or CRM push, call results include …": the same record in both.
#[test]
fn a_webhook_has_the_record_too() {
    let placed = answered_in(place(&json!({}), &json!({})));
    let asked = json!({ "url": HOOK, "events": ["call.ended"] });
    let request = Request::post("/v1/webhooks").header("x-api-key", KEY);
    let request = request.body(asked.to_string().into_bytes()).unwrap();
    assert_eq!(placed.memory.put_to(request).status(), 201);
    assert!(placed.call().get("result").is_none(), "it has none yet");
    hang_up(&placed, EndedBy::Contact, "contact_hung_up");
    let told = &sent_to(&placed, HOOK)[0].1;
    assert_eq!(told["data"]["result"], pushed(&placed)[0].1);
    assert_eq!(told["data"]["result"]["disconnected_by"], "customer");
    assert_eq!(placed.call()["result"], told["data"]["result"]);
}
