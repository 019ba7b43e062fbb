//! What cannot be read: agents, while everything else can, and requests that no handler gets to see.

use super::KEY;
use super::later::request;
use calls::problem::Problem;
use http::{Request, Response};
use serde_json::{Value, json};
use tests::driver::Driver;
use tests::memory::Memory;

fn publish(memory: &Memory) -> Response<Vec<u8>> {
    let body = json!({
        "assistant_id": "019addcc-b878-7b10-85f1-49f21342f947", "phone_number": "+15005550006",
        "telephony_provider": "default",
    });
    let path = "/api/v1/campaigns/publish-outbound-call";
    request(memory, "POST", path, &body)
}

fn detail(answer: &Response<Vec<u8>>) -> Value {
    let body: Value = serde_json::from_slice(answer.body()).unwrap();
    body["detail"].clone()
}

fn without_agent() -> Memory {
    let memory = Memory::demo();
    let unreadable = ("agent/reminder".to_owned(), "{".to_owned());
    memory.config.stored.borrow_mut().extend([unreadable]);
    memory.config.catch_up();
    memory
}

/// "Assistant lookup failure is wrapped as bad request": `{"detail": "Error fetching assistant: <error details>"}`.
#[test]
fn voicing_takes_it_for_a_bad_request() {
    let memory = without_agent();
    let answer = publish(&memory);
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.headers()["x-error-code"], "agent_lookup_failed");
    let said = "Error fetching assistant: it could not be looked up; try again";
    assert_eq!(detail(&answer), said);
    // Why is for the log alone.
    let logged = memory.logged.borrow().join("\n");
    assert!(logged.contains("agent/reminder does not read"), "{logged}");
    assert!(memory.calls.borrow().is_empty());
}

/// "Token verification fails", "Database save fails": 500, as before.
#[test]
fn other_faults_of_voicing_are_ours() {
    let failed = "Failed to publish outbound call";
    let memory = Memory::demo();
    memory.unread.set(true);
    let answer = publish(&memory);
    assert_eq!(
        (answer.status().as_u16(), detail(&answer)),
        (500, json!(failed))
    );
    let memory = Memory::demo();
    memory.fail_after(0);
    let answer = publish(&memory);
    assert_eq!(
        (answer.status().as_u16(), detail(&answer)),
        (500, json!(failed))
    );
}

#[test]
fn a_tenants_key_meets_it_too() {
    let memory = without_agent();
    let body = json!({ "bot_id": "demo-bot", "to_number": "+15005550006" }).to_string();
    for key in [KEY, "rd_test_group_rest_0246813579bdfACE"] {
        let request = Request::post("/api/v1/dialout").header("x-api-key", key);
        let answer = memory.put_to(request.body(body.clone().into_bytes()).unwrap());
        assert_eq!(answer.status(), 500);
        assert_eq!(answer.headers()["x-error-code"], "agent_lookup_failed");
    }
}

#[test]
fn what_no_handler_sees_is_answered_in_the_words_of_its_api() {
    for (path, expected) in [
        (
            "/calls/initiate",
            json!({ "detail": "Failed to initiate outbound call" }),
        ),
        ("/api/outbound", json!({ "error": "Internal server error" })),
        (
            "/api/v1/dialout/",
            json!({ "detail": "Internal server error" }),
        ),
    ] {
        let logged = std::cell::RefCell::new(String::new());
        let problem = Problem::Broken("no settings".to_owned());
        let log = |line: &str| logged.borrow_mut().push_str(line);
        let answer = functions::unhandled(path, &problem, [0xab; 16], log);
        let said: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!((answer.status().as_u16(), said), (500, expected));
        assert_eq!(answer.headers()["x-error-code"], "internal_error");
        let id = format!("req_{}", "ab".repeat(16));
        assert_eq!(answer.headers()["x-request-id"], id.as_str());
        let logged = logged.into_inner();
        assert!(
            logged.contains(&id) && logged.contains("no settings"),
            "{logged}"
        );
    }
}
