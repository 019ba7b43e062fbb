//! Subscribing more than once: with an idempotency key, cut short, and with an answer that was lost.

use super::{CALLBACK, HOOK, KEY, ask, place, signed_with, subscribe};
use calls::secret::Secret;
use http::{Request, Response};
use serde_json::{Value, json};
use tests::driver::Driver;
use tests::memory::Memory;

fn keyed(memory: &Memory, key: &str, url: &str) -> Response<Vec<u8>> {
    let asked = json!({ "url": url, "events": ["call.ended"] });
    let request = Request::post("/v1/webhooks")
        .header("x-api-key", KEY)
        .header("idempotency-key", key);
    memory.put_to(request.body(asked.to_string().into_bytes()).unwrap())
}

fn listed(memory: &Memory) -> usize {
    let (_, shown) = ask(memory, "GET", "/v1/webhooks", &Value::Null);
    shown["data"].as_array().unwrap().len()
}

/// Repeated, it is answered as it was at first, secret included, also once the webhook was changed or deleted.
#[test]
fn a_key_subscribes_once() {
    let memory = Memory::demo();
    let first = keyed(&memory, "k", HOOK);
    assert_eq!(first.status(), 201);
    assert!(!first.headers().contains_key("idempotent-replayed"));
    let shown: Value = serde_json::from_slice(first.body()).unwrap();
    let path = format!("/v1/webhooks/{}", shown["id"].as_str().unwrap());
    let again = |memory: &Memory| {
        memory.pass_s(60);
        let again = keyed(memory, "k", HOOK);
        assert_eq!(again.status(), 201);
        assert_eq!(again.headers()["idempotent-replayed"], "true");
        assert_eq!(again.body(), first.body());
    };
    again(&memory);
    let other = keyed(&memory, "k", CALLBACK);
    assert_eq!(other.status(), 409);
    assert_eq!(other.headers()["x-error-code"], "idempotency_conflict");
    assert_eq!(listed(&memory), 1);
    ask(&memory, "POST", &format!("{path}/rotate"), &Value::Null);
    again(&memory);
    ask(&memory, "DELETE", &path, &Value::Null);
    again(&memory);
    assert_eq!(listed(&memory), 0);
    // Of another organization, or under another key, it is another.
    assert_ne!(keyed(&memory, "j", HOOK).body(), first.body());
    let secret = Secret::new(shown["secret"].as_str().unwrap());
    keyed(&memory, "l", HOOK);
    let placed = place(memory, None);
    placed.be_busy();
    let sent = placed.to(HOOK);
    assert_eq!(sent.len(), 2);
    assert!(!sent.iter().any(|request| signed_with(request, &secret)));
}

/// Each write fails in turn: the same request sent again subscribes, once.
#[test]
fn a_subscription_cut_short_is_made_once() {
    for working in 0..4 {
        let memory = Memory::demo();
        memory.fail_once_after(working);
        let cut = keyed(&memory, "k", HOOK);
        memory.heal();
        let whole = keyed(&memory, "k", HOOK);
        assert_eq!(whole.status(), 201);
        assert_eq!(
            (working < 3, cut.status() == 500),
            (working < 3, working < 3)
        );
        assert_eq!(listed(&memory), 1);
    }
}

/// The key of a request that is refused for want of room is free.
#[test]
fn a_subscription_that_finds_no_room_leaves_its_key_free() {
    let memory = Memory::demo();
    let mut last = String::new();
    for number in 0..50 {
        last = subscribe(&memory, &format!("{HOOK}/{number}")).0;
    }
    assert_eq!(keyed(&memory, "k", HOOK).status(), 422);
    ask(
        &memory,
        "DELETE",
        &format!("/v1/webhooks/{last}"),
        &Value::Null,
    );
    let answer = keyed(&memory, "k", CALLBACK);
    assert_eq!(answer.status(), 201);
    assert!(!answer.headers().contains_key("idempotent-replayed"));
}

#[test]
fn a_subscription_whose_answer_was_lost_stands_once() {
    let memory = Memory::demo();
    memory.unheard.set(true);
    subscribe(&memory, HOOK);
    assert_eq!(listed(&memory), 1);
    let placed = place(memory, None);
    placed.be_busy();
    placed.pass(60);
    assert_eq!(placed.to(HOOK).len(), 1);
    assert_eq!(placed.states(), ["delivered"]);
}

/// What is changed twice, because an answer was lost, is as if it had been changed once.
#[test]
fn a_change_whose_answer_was_lost_is_made_once() {
    let memory = Memory::demo();
    let path = "/v1/webhooks/callbacks";
    let rotated = |memory: &Memory| {
        memory.unheard.set(true);
        let (status, shown) = ask(memory, "POST", &format!("{path}/rotate"), &Value::Null);
        assert_eq!(status, 200);
        shown["previous_secret_valid_until"].clone()
    };
    assert_eq!(rotated(&memory), Value::Null, "there was none before");
    assert_ne!(rotated(&memory), Value::Null);
    let placed = place(memory, Some(CALLBACK));
    placed.be_busy();
    let signatures = placed.to(CALLBACK)[0].headers()["webhook-signature"].clone();
    assert_eq!(signatures.to_str().unwrap().split(' ').count(), 2);
    placed.memory.unheard.set(true);
    assert_eq!(ask(&placed.memory, "DELETE", path, &Value::Null).0, 204);
    assert_eq!(ask(&placed.memory, "DELETE", path, &Value::Null).0, 404);
    let (webhook, _) = subscribe(&placed.memory, HOOK);
    let path = format!("/v1/webhooks/{webhook}");
    placed.memory.unheard.set(true);
    assert_eq!(ask(&placed.memory, "DELETE", &path, &Value::Null).0, 204);
    assert_eq!(ask(&placed.memory, "DELETE", &path, &Value::Null).0, 404);
}
