//! Webhooks as their organization changes them: rotated, disabled, deleted, moved; and their dead letters sent again.

use super::super::place_in;
use super::{CALLBACK, HOOK, answer, answers, ask, place, signed_with, subscribe};
use calls::secret::Secret;
use http::Request;
use serde_json::{Value, json};
use tests::driver::Driver;
use tests::memory::Memory;

#[test]
fn gone_disables_the_webhook() {
    let memory = Memory::demo();
    let (webhook, _) = subscribe(&memory, HOOK);
    answers(&memory, HOOK, &[410]);
    let placed = place(memory, None);
    placed.be_busy();
    assert_eq!(placed.states(), ["dead"]);
    let path = format!("/v1/webhooks/{webhook}");
    let (_, shown) = ask(&placed.memory, "GET", &path, &Value::Null);
    assert_eq!(shown["status"], "disabled");
    // Neither the next call nor a resend reaches it …
    let id = placed.deliveries()[0]["id"].as_str().unwrap().to_owned();
    let resend = format!("{path}/deliveries/{id}/resend");
    assert_eq!(ask(&placed.memory, "POST", &resend, &Value::Null).0, 422);
    // … until it is enabled.
    ask(
        &placed.memory,
        "POST",
        &format!("{path}/enable"),
        &Value::Null,
    );
    assert_eq!(ask(&placed.memory, "POST", &resend, &Value::Null).0, 202);
    placed.pass(1);
    assert_eq!(placed.states(), ["delivered"]);
    assert_eq!(placed.to(HOOK).len(), 2);
}

#[test]
fn what_is_on_its_way_to_nobody_is_cancelled() {
    let memory = Memory::demo();
    let (webhook, _) = subscribe(&memory, HOOK);
    answers(&memory, HOOK, &[500]);
    let placed = place(memory, None);
    placed.be_busy();
    ask(
        &placed.memory,
        "DELETE",
        &format!("/v1/webhooks/{webhook}"),
        &Value::Null,
    );
    placed.pass(60);
    assert_eq!(placed.states(), ["cancelled"]);
    assert_eq!(placed.to(HOOK).len(), 1);
    assert!(placed.memory.wakes.borrow().is_empty());
}

#[test]
fn two_secrets_sign_for_a_day() {
    let memory = Memory::demo();
    let (webhook, old) = subscribe(&memory, HOOK);
    let path = format!("/v1/webhooks/{webhook}/rotate");
    let (_, shown) = ask(&memory, "POST", &path, &Value::Null);
    let new = Secret::new(shown["secret"].as_str().unwrap());
    assert_ne!(old, new);
    // Tried again after more than a day.
    answers(&memory, HOOK, &[500]);
    memory
        .outside
        .will_answer(HOOK, Ok(answer(503, &[("retry-after", "99999999")])));
    let placed = place(memory, None);
    placed.be_busy();
    placed.pass(7);
    placed.memory.pass_s(86_500);
    placed.pass(1);
    let sent = placed.to(HOOK);
    assert_eq!(sent.len(), 3);
    for attempt in &sent {
        assert!(signed_with(attempt, &new));
    }
    assert!(signed_with(&sent[0], &old) && signed_with(&sent[1], &old));
    assert!(!signed_with(&sent[2], &old));
    for (_, document) in placed.memory.documents.borrow().iter() {
        assert!(
            !document.contains("whsec_"),
            "a secret lies open: {document}"
        );
    }
}

#[test]
fn callbacks_are_signed_once_there_is_a_secret() {
    let memory = Memory::demo();
    let (_, shown) = ask(
        &memory,
        "POST",
        "/v1/webhooks/callbacks/rotate",
        &Value::Null,
    );
    let secret = Secret::new(shown["secret"].as_str().unwrap());
    let placed = place(memory, Some(CALLBACK));
    placed.be_busy();
    assert!(signed_with(&placed.to(CALLBACK)[0], &secret));
}

#[test]
fn many_are_sent_again() {
    let memory = Memory::demo();
    let (webhook, _) = subscribe(&memory, HOOK);
    answers(&memory, HOOK, &[400, 400, 400, 200]);
    let mut placed = place_in(memory, "+15005550010");
    for index in 0..4 {
        if index > 0 {
            placed = place_in(placed.memory, "+15005550010");
        }
        let last = placed.memory.twilio.placed.borrow().len() - 1;
        let sid = placed.memory.twilio.placed.borrow()[last].0.clone();
        placed
            .memory
            .twilio
            .standing
            .borrow_mut()
            .insert(sid, "busy".to_owned());
        placed.pass(60);
    }
    let path = format!("/v1/webhooks/{webhook}/deliveries");
    let (_, first) = ask(
        &placed.memory,
        "GET",
        &format!("{path}?limit=3"),
        &Value::Null,
    );
    assert_eq!(first["data"].as_array().unwrap().len(), 3);
    assert_eq!(first["data"][0]["status"], "delivered");
    let next = first["next_cursor"].as_str().unwrap();
    let (_, second) = ask(
        &placed.memory,
        "GET",
        &format!("{path}?limit=3&cursor={next}"),
        &Value::Null,
    );
    assert_eq!(second["data"].as_array().unwrap().len(), 1);
    assert_eq!(second["has_more"], false);
    let dead = |query: &str| {
        let (_, shown) = ask(
            &placed.memory,
            "GET",
            &format!("{path}?status=dead{query}"),
            &Value::Null,
        );
        shown
    };
    assert_eq!(dead("")["data"].as_array().unwrap().len(), 3);
    let one = dead("&limit=1");
    assert_eq!(one["data"], json!([first["data"][1]]));
    let next = one["next_cursor"].as_str().unwrap();
    let rest = dead(&format!("&limit=2&cursor={next}"));
    assert_eq!(rest["data"], json!([first["data"][2], second["data"][0]]));
    assert_eq!(rest["has_more"], false);
    // Only those from the second call on.
    let from = first["data"][2]["created_at"].clone();
    let body = json!({ "status": "dead", "created_from": from });
    let (status, shown) = ask(&placed.memory, "POST", &format!("{path}/resend"), &body);
    assert_eq!((status, &shown["resent"]), (202, &json!(2)), "{shown}");
    placed.pass(1);
    let (_, listed) = ask(&placed.memory, "GET", &path, &Value::Null);
    let states: Vec<_> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["status"].clone())
        .collect();
    assert_eq!(states, ["delivered", "delivered", "delivered", "dead"]);
    let (_, shown) = ask(
        &placed.memory,
        "POST",
        &format!("{path}/resend"),
        &json!([{}]),
    );
    assert_eq!(shown["resent"], 1);
}

#[test]
fn an_organization_has_fifty_webhooks_at_most() {
    let memory = Memory::demo();
    for _ in 0..50 {
        subscribe(&memory, HOOK);
    }
    let asked = json!({ "url": HOOK, "events": ["call.ended"] });
    let (status, shown) = ask(&memory, "POST", "/v1/webhooks", &asked);
    assert_eq!((status, &shown["errors"][0]["field"]), (422, &json!("url")));
    // All of them hear of a call, in rounds.
    let placed = place(memory, None);
    placed.be_busy();
    placed.pass(12);
    assert_eq!(placed.to(HOOK).len(), 50);
    assert_eq!(placed.states(), vec!["delivered"; 50]);
}

/// Webhooks go along with an export, and what was signed before is signed the same after.
#[test]
fn webhooks_move_to_another_deployment() {
    let first = Memory::demo();
    let (webhook, old) = subscribe(&first, HOOK);
    let path = format!("/v1/webhooks/{webhook}/rotate");
    ask(&first, "POST", &path, &Value::Null);
    ask(
        &first,
        "POST",
        "/v1/webhooks/callbacks/rotate",
        &Value::Null,
    );
    let administer = |memory: &Memory, method: &str, path: &str, body: Vec<u8>| {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("x-api-key", Memory::ADMIN_TOKEN);
        let answer = memory.put_to(request.body(body).unwrap());
        assert_eq!(
            answer.status(),
            200,
            "{}",
            String::from_utf8_lossy(answer.body())
        );
        answer.into_body()
    };
    let exported = administer(&first, "GET", "/v1/admin/export", Vec::new());
    assert!(!String::from_utf8_lossy(&exported).contains("whsec_"));
    let second = Memory::default();
    administer(&second, "POST", "/v1/admin/import", exported);
    assert_eq!(*second.documents.borrow(), *first.documents.borrow());
    let placed = place(second, Some(CALLBACK));
    placed.be_busy();
    assert!(signed_with(&placed.to(HOOK)[0], &old));
    assert!(
        placed.to(CALLBACK)[0]
            .headers()
            .contains_key("webhook-signature")
    );
}
