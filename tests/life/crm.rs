//! An agent's CRM, asked before a call: what it knows is in the agent's texts, and whatever it does, the call is placed.

use super::{KEY, Placed, later};
use functions::{Platform as _, SendError};
use http::{Request, Response};
use serde_json::{Value, json};
use tests::driver::Driver;
use tests::memory::Memory;

const CRM: &str = "https://crm.example.com/customers/%2B15005550006?by=REF%2F7%20b";
const SECRET: &str = "Bearer crm-secret-of-the-tests";

/// The demo organization with one more agent, whose CRM it is.
fn with_crm(more: &Value) -> Memory {
    let memory = Memory::demo();
    let mut pre_fetch = json!({
        "url": "https://crm.example.com/customers/{{call.callerId}}?by={{ reference }}",
        "headers": { "Authorization": SECRET, "X-Tenant": "clinic" },
        "timeout_seconds": 3,
    });
    for (name, value) in more.as_object().unwrap() {
        pre_fetch[name] = value.clone();
    }
    let agent = json!({
        "type": "agent", "id": "crm-agent", "organization": "demo", "owner": "founder", "bot_id": "crm-bot",
        "timezone": "Asia/Kolkata", "pre_fetch": pre_fetch,
        "published": {
            "greeting": "{{crm.name}}, {{crm.plan.tier}}, {{crm.city}}, {{call.city}}, {{name}}, {{crm.gone}}.",
            "prompt": "Today is {{system.current_date}}, {{current_time}} in {{system.timezone}}.",
        },
    });
    import(&memory, &agent);
    memory
}

pub(super) fn import(memory: &Memory, lines: &impl ToString) {
    let request = Request::post("/v1/admin/import")
        .header("authorization", format!("Bearer {}", Memory::ADMIN_TOKEN))
        .body(lines.to_string().into_bytes());
    let answer = memory.put_to(request.unwrap());
    let said = String::from_utf8_lossy(answer.body()).into_owned();
    assert_eq!(answer.status(), 200, "{said}");
}

/// A call whose request gives a name and a city.
fn dial_out(memory: Memory) -> Placed {
    let answer = ask_for_a_call(&memory);
    assert_eq!(answer.status(), 200);
    Placed { memory, answer }
}

fn ask_for_a_call(memory: &Memory) -> Response<Vec<u8>> {
    let body = json!({
        "bot_id": "crm-bot", "to_number": "+15005550006",
        "variables": { "name": "the customer", "city": "Pune", "reference": "REF/7 b" },
    });
    let request = Request::post("/api/v1/dialout")
        .header("x-api-key", KEY)
        .body(body.to_string().into_bytes());
    memory.put_to(request.unwrap())
}

fn answer(status: u16, body: &str) -> Result<Response<Vec<u8>>, SendError> {
    let answer = Response::builder().status(status);
    Ok(answer.body(body.as_bytes().to_vec()).unwrap())
}

#[test]
fn what_it_knows_is_in_the_texts() {
    let memory = with_crm(&json!({}));
    let known = r#"{"name":"Rahul {{crm.city}}","plan":{"tier":2.0},"city":"Mumbai","gone":null}"#;
    memory.outside.will_answer(CRM, answer(200, known));
    let placed = dial_out(memory);
    let seen = placed.memory.outside.seen.borrow();
    assert_eq!(seen.len(), 1);
    assert_eq!(
        (seen[0].method().as_str(), seen[0].uri().to_string()),
        ("GET", CRM.to_owned())
    );
    assert_eq!(seen[0].headers()["authorization"], SECRET);
    assert_eq!(seen[0].headers()["x-tenant"], "clinic");
    let call = placed.call();
    // The CRM wins over the request; `call.*` is the request's alone; what nobody knows stays as it is written.
    assert_eq!(
        call["greeting"],
        "Rahul {{crm.city}}, 2, Mumbai, Pune, Rahul {{crm.city}}, {{crm.gone}}."
    );
    assert_eq!(call["unresolved_variables"], json!(["crm.gone"]));
    assert_eq!(call["pre_fetch"]["failed"], Value::Null);
    assert_eq!(call["pre_fetch"]["values"]["city"], "Mumbai");
    let order = &placed.memory.started.borrow()[0];
    assert_eq!(order.prompt, "Today is 2026-11-20, 15:00 in Asia/Kolkata.");
}

#[test]
fn whatever_it_does_the_call_is_placed() {
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(65 * 1024));
    for (answered, noted) in [
        (answer(500, "{}"), "it answered 500"),
        (answer(302, "{}"), "it answered 302"),
        (answer(200, "<html>"), "its answer is no JSON object"),
        (answer(200, "[1]"), "its answer is no JSON object"),
        (answer(200, &large), "its answer is larger than 64 KB"),
        (
            Err(SendError::NotSent("refused by crm".to_owned())),
            "it could not be reached",
        ),
        (
            Err(SendError::Unclear("no answer from crm".to_owned())),
            "it did not answer in 3 s",
        ),
    ] {
        let memory = with_crm(&json!({}));
        memory.outside.will_answer(CRM, answered);
        let placed = dial_out(memory);
        let call = placed.call();
        assert_eq!(call["pre_fetch"]["failed"], noted);
        assert_eq!(
            call["greeting"],
            "the customer, {{crm.plan.tier}}, Pune, Pune, the customer, {{crm.gone}}."
        );
        assert_eq!(placed.memory.twilio.placed.borrow().len(), 1);
        let logged = placed.memory.logged.borrow().join("\n");
        assert!(logged.contains(noted), "{logged}");
        assert!(!logged.contains("5550006"), "{logged}");
    }
}

#[test]
fn a_url_without_its_value_is_not_asked() {
    let url = "https://crm.example.com/customers/{{call.customer_id}}";
    let placed = dial_out(with_crm(&json!({ "url": url })));
    assert!(placed.memory.outside.seen.borrow().is_empty());
    assert_eq!(
        placed.call()["pre_fetch"]["failed"],
        "no value for call.customer_id, which its URL names"
    );
}

#[test]
fn a_post_tells_whom_the_call_is_for() {
    let memory = with_crm(&json!({ "url": "https://crm.example.com/look-up", "method": "POST" }));
    let placed = dial_out(memory);
    let seen = placed.memory.outside.seen.borrow();
    assert_eq!(seen[0].method(), "POST");
    assert_eq!(seen[0].headers()["content-type"], "application/json");
    let body: Value = serde_json::from_slice(seen[0].body()).unwrap();
    assert_eq!(
        body["call"],
        json!({ "callerId": "+15005550006", "did": "+15005550100", "callDirection": "outgoing" })
    );
    assert_eq!(body["variables"]["city"], "Pune");
}

/// The headers' values are neither stored nor exported as they are, and open for their own agent alone.
#[test]
fn secrets_are_sealed() {
    let memory = with_crm(&json!({}));
    let stored = memory.config.stored.borrow()["agent/crm-agent"].clone();
    assert!(!stored.contains("crm-secret"), "{stored}");
    let request = Request::get("/v1/admin/export")
        .header("authorization", format!("Bearer {}", Memory::ADMIN_TOKEN))
        .body(Vec::new());
    let exported = memory.put_to(request.unwrap()).into_body();
    let exported = String::from_utf8(exported).unwrap();
    assert!(!exported.contains("crm-secret"), "{exported}");
    let line = exported
        .lines()
        .find(|line| line.contains("crm-agent"))
        .unwrap();
    import(&memory, &line);
    assert_eq!(memory.config.stored.borrow()["agent/crm-agent"], stored);

    let mut thief: Value = serde_json::from_str(line).unwrap();
    thief["id"] = json!("thief");
    thief["bot_id"] = json!("thief");
    let request = Request::post("/v1/admin/import")
        .header("authorization", format!("Bearer {}", Memory::ADMIN_TOKEN))
        .body(thief.to_string().into_bytes());
    let answer = memory.put_to(request.unwrap());
    assert_eq!(answer.status(), 422);
    assert!(String::from_utf8_lossy(answer.body()).contains("does not open"));
}

/// Nobody is asked about a person who is not called.
#[test]
fn a_refused_request_asks_nobody() {
    for (field, value, status) in [
        ("to_number", "911", 422),
        ("from_number", "+15005550177", 503),
    ] {
        let memory = with_crm(&json!({}));
        let mut body = json!({
            "bot_id": "crm-bot", "to_number": "+15005550006", "variables": { "reference": "x" },
        });
        body[field] = json!(value);
        let request = Request::post("/api/v1/dialout")
            .header("x-api-key", KEY)
            .body(body.to_string().into_bytes());
        assert_eq!(memory.put_to(request.unwrap()).status(), status);
        assert!(memory.outside.seen.borrow().is_empty());
    }
}

/// The CRM may take ten seconds, and what changes in them counts.
#[test]
fn the_gates_are_gone_through_again_after_it() {
    let memory = with_crm(&json!({}));
    *memory.outside.meanwhile.borrow_mut() = Some(Box::new(|memory| {
        let request = Request::post("/v1/suppressions")
            .header("x-api-key", KEY)
            .body(br#"{"number":"+15005550006"}"#.to_vec());
        assert_eq!(memory.put_to(request.unwrap()).status(), 201);
    }));
    let answer = ask_for_a_call(&memory);
    assert_eq!(answer.headers()["x-error-code"], "suppressed");
    assert_eq!(answer.status(), 403);

    // It is 09:30 UTC, and the window closes while the CRM thinks.
    let memory = with_crm(&json!({}));
    later::change(&memory, "crm-agent", |agent| {
        agent["active_hours"] =
            json!({ "timezone": "UTC", "days": [], "start": "08:00", "end": "09:31" });
    });
    *memory.outside.meanwhile.borrow_mut() = Some(Box::new(|memory| memory.pass_s(60)));
    let answer = ask_for_a_call(&memory);
    assert_eq!(answer.headers()["x-error-code"], "outside_active_hours");
    assert!(memory.twilio.asked.borrow().is_empty());
    assert!(memory.calls.borrow().is_empty());
}

/// A closed gate that opens again is waited for, and then the call is dialled with what the CRM knew.
#[test]
fn a_call_for_later_has_it_though_a_gate_is_closed() {
    let memory = with_crm(&json!({}));
    later::change(&memory, "crm-agent", |agent| {
        agent["active_hours"] =
            json!({ "timezone": "UTC", "days": [], "start": "10:00", "end": "11:00" });
    });
    let known = r#"{"name":"Rahul"}"#;
    memory.outside.will_answer(CRM, answer(200, known));
    let beside = json!({
        "agent_id": "crm-agent", "earliest_at": memory.now().plus_s(60).rfc3339(),
        "variables": { "reference": "REF/7 b" },
    });
    let id = later::create(&memory, "+15005550006", beside);
    assert_eq!(memory.outside.seen.borrow().len(), 1);
    assert_eq!(
        later::call(&memory, id)["pre_fetch"]["values"]["name"],
        "Rahul"
    );
}

/// "If no workers are available, the call is rejected immediately": before a CRM takes its time.
#[test]
fn without_a_seat_nobody_is_asked() {
    let memory = with_crm(&json!({}));
    memory.hold_seats("demo", 10, memory.now().plus_s(40));
    let answer = ask_for_a_call(&memory);
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["x-error-code"], "no_capacity");
    assert!(memory.outside.seen.borrow().is_empty());
    // Stored as any other call that found no seat, so that it can be explained.
    let id = *memory.calls.borrow().keys().next().unwrap();
    let call = later::call(&memory, id);
    assert_eq!(call["outcome"], "refused");
    assert_eq!(call["end_reason"], "no_seat");
    assert_eq!(call["pre_fetch"], Value::Null);
    assert!(memory.twilio.asked.borrow().is_empty());
}

/// Values only the CRM would have given are not missed where it was not asked.
#[test]
fn an_agent_that_insists_is_refused_for_what_closed() {
    let memory = with_crm(&json!({}));
    later::change(&memory, "crm-agent", |agent| {
        agent["published"]["when_missing"] = json!("refuse");
    });
    memory.hold_seats("demo", 10, memory.now().plus_s(40));
    let answer = ask_for_a_call(&memory);
    assert_eq!(answer.headers()["x-error-code"], "no_capacity");
}
