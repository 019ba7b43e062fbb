//! AlloMia's callback: once, with the status body, and only about the call whose id the program was given.

use super::super::crm::import;
use super::super::later::{pass, status as told};
use super::{CALLBACK, HOOK, Placed, ask, subscribe};
use http::Response;
use serde_json::{Value, json};
use tests::driver::Driver;
use tests::memory::Memory;

#[test]
fn allomia_is_told_its_status_body() {
    let memory = Memory::demo();
    let body = json!({
        "phoneNumber": "+15005550010", "assistantId": "019addcc-b878-7b10-85f1-49f21342f947",
        "phoneNumberId": "6a1d2c3b-0000-4000-8000-000000000041", "callbackUrl": CALLBACK,
    });
    let (status, _) = ask(&memory, "POST", "/api/outbound", &body);
    assert_eq!(status, 200);
    let placed = Placed {
        memory,
        answer: Response::default(),
    };
    placed.be_busy();
    let path = format!("/api/outbound/{}/status", placed.id());
    let (_, shown) = ask(&placed.memory, "GET", &path, &Value::Null);
    let sent = placed.to(CALLBACK);
    assert_eq!(sent.len(), 1);
    assert_eq!(
        serde_json::from_slice::<Value>(sent[0].body()).unwrap(),
        shown
    );
    assert_eq!(shown["status"], "busy");
}

fn allomia(memory: &Memory, assistant: &str, to: &str) -> u16 {
    let body = json!({
        "phoneNumber": to, "assistantId": assistant, "phoneNumberId": "6a1d2c3b-0000-4000-8000-000000000041",
        "callbackUrl": CALLBACK,
    });
    ask(memory, "POST", "/api/outbound", &body).0
}

/// Once, and about the id the program was given: the attempts
/// that follow have ids of their own.
#[test]
fn allomia_is_told_of_the_first_attempt_alone() {
    let memory = Memory::demo();
    let assistant = "019addcc-0000-7000-8000-000000000999";
    let retry = json!({ "max_attempts": 2, "delay_s": 60, "on": ["busy"] });
    let agent = json!({
        "type": "agent", "id": "stubborn", "organization": "demo", "owner": "founder", "assistant_id": assistant,
        "published": { "greeting": "Hello.", "retry": retry },
    });
    import(&memory, &agent);
    assert_eq!(allomia(&memory, assistant, "+15005550010"), 200);
    let first = *memory.calls.borrow().keys().next().unwrap();
    told(&memory, 0, "busy");
    pass(&memory, 65);
    told(&memory, 1, "busy");
    pass(&memory, 65);
    assert_eq!(memory.calls.borrow().len(), 2, "no attempt followed");
    let seen = memory.outside.seen.borrow();
    assert_eq!(seen.len(), 1, "{seen:?}");
    let told: Value = serde_json::from_slice(seen[0].body()).unwrap();
    assert_eq!(told["outboundCallId"], first.to_string());
    assert_eq!(told["status"], "busy");
}

/// Whoever was answered that nothing was placed is told nothing more, under an id it never had. Our own reports tell of it.
#[test]
fn a_refused_request_calls_nobody_back() {
    let memory = Memory::demo();
    subscribe(&memory, HOOK);
    let assistant = "019addcc-b878-7b10-85f1-49f21342f947";
    assert_eq!(allomia(&memory, assistant, "+15005550019"), 503);
    assert_eq!(allomia(&memory, assistant, "+15005550001"), 400);
    memory.hold_seats("demo", 10, memory.time().plus_s(60));
    assert_eq!(allomia(&memory, assistant, "+15005550006"), 503);
    pass(&memory, 60);
    let to = |url: &str| {
        let seen = memory.outside.seen.borrow();
        seen.iter().filter(|request| request.uri() == url).count()
    };
    assert_eq!((to(CALLBACK), to(HOOK)), (0, 3));
    let body = json!({ "agent_id": "reminder", "to": "+15005550019", "callback_url": CALLBACK });
    assert_eq!(ask(&memory, "POST", "/v1/calls", &body).0, 429);
    pass(&memory, 60);
    assert_eq!((to(CALLBACK), to(HOOK)), (1, 4));
}
