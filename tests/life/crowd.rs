//! Many requests for a call at the same moment, in hundreds of orders: what is promised of one is promised of all.

use super::crm::import;
use super::{KEY, trigger};
use http::{Request, Response};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tests::driver::Driver;
use tests::memory::Memory;

/// How many requests come at once.
const CALLERS: usize = 12;
/// In how many orders.
const ORDERS: u64 = 40;

/// An organization with room for everybody, and an agent that takes like requests for one.
fn roomy(more: &Value) -> Memory {
    let memory = Memory::demo();
    set_up(&memory, more);
    memory
}

fn set_up(memory: &Memory, more: &Value) {
    let mut organization = json!({
        "type": "organization", "id": "roomy", "seats": 100, "country": "US", "default_telephony_configuration": 41,
        "calling_window": null, "attempts_per_day": null,
    });
    let more = more.as_object().unwrap().clone();
    organization.as_object_mut().unwrap().extend(more);
    let lines = [
        organization,
        json!({"type": "telephony_configuration", "id": 41, "organization": "roomy",
            "account_sid": super::ACCOUNT, "auth_token": super::TOKEN, "api_base_url": "http://127.0.0.1:8790"}),
        json!({"type": "number", "id": "6a1d2c3b-0000-4000-8000-000000000999", "organization": "roomy",
            "number": "+15005550199", "telephony_configuration": 41}),
        json!({"type": "agent", "id": "once", "organization": "roomy", "owner": "tests", "dedupe_s": 60,
            "published": {"greeting": "Hello {{who}}."}}),
        json!({"type": "key", "organization": "roomy", "key": ROOMY}),
    ];
    import(memory, &lines.map(|line| line.to_string()).join("\n"));
}

const ROOMY: &str = "rd_test_roomy_0000000000000001";

fn create(to: &str, who: usize) -> Request<Vec<u8>> {
    let body = json!({ "agent_id": "once", "to": to, "variables": { "who": who } });
    Request::post("/v1/calls")
        .header("x-api-key", ROOMY)
        .body(body.to_string().into_bytes())
        .unwrap()
}

fn code(answer: &Response<Vec<u8>>) -> &str {
    let code = answer.headers().get("x-error-code");
    code.map_or("", |code| code.to_str().unwrap())
}

/// The calls that answers of success name.
fn placed(answers: &[Response<Vec<u8>>]) -> BTreeSet<String> {
    let placed = answers.iter().filter(|answer| answer.status().is_success());
    let id = |answer: &Response<_>| answer.headers()["x-call-id"].to_str().unwrap().to_owned();
    placed.map(id).collect()
}

fn dialled(memory: &Memory) -> usize {
    memory.twilio.asked.borrow().len()
}

#[test]
fn like_requests_are_one_call() {
    let mut replays = 0;
    for seed in 0..ORDERS {
        let memory = roomy(&json!({}));
        let requests = (0..CALLERS).map(|_| create("+15005550006", 1)).collect();
        let answers = memory.put_together(seed, requests);
        for answer in &answers {
            let known = answer.status() == 201 || code(answer) == "idempotency_in_progress";
            assert!(known, "seed {seed}: {} {}", answer.status(), code(answer));
        }
        let placed = placed(&answers);
        assert_eq!((placed.len(), dialled(&memory)), (1, 1), "seed {seed}");
        assert_eq!(memory.calls.borrow().len(), 1, "seed {seed}");
        assert_eq!(tests::finish(memory.seats_taken("roomy")), Ok(1));
        let again = memory.put_to(create("+15005550006", 1));
        assert_eq!(again.headers()["idempotent-replayed"], "true");
        assert!(placed.contains(again.headers()["x-call-id"].to_str().unwrap()));
        replays += answers
            .iter()
            .filter(|answer| answer.headers().contains_key("idempotent-replayed"))
            .count();
    }
    // Some came when the call was being placed, some when it was.
    assert!(replays > 0 && replays < ORDERS as usize * (CALLERS - 1));
}

/// Where the first found no seat, another of them may be placed, and one only.
#[test]
fn like_requests_after_a_refusal_are_one_call() {
    for seed in 0..ORDERS {
        let memory = roomy(&json!({}));
        memory.hold_seats("roomy", 100, memory.time().plus_s(5));
        let refused = memory.put_to(create("+15005550006", 1));
        assert_eq!(code(&refused), "no_capacity");
        memory.pass_s(6);
        let requests = (0..CALLERS).map(|_| create("+15005550006", 1)).collect();
        let placed = placed(&memory.put_together(seed, requests));
        assert_eq!((placed.len(), dialled(&memory)), (1, 1), "seed {seed}");
    }
}

#[test]
fn a_number_is_tried_no_more_often_than_may_be() {
    for seed in 0..ORDERS {
        let memory = roomy(&json!({ "attempts_per_day": 3 }));
        let requests = (0..CALLERS).map(|who| create("+15005550006", who));
        let answers = memory.put_together(seed, requests.collect());
        let refused: Vec<_> = answers
            .iter()
            .filter(|answer| !answer.status().is_success())
            .collect();
        for answer in &refused {
            assert_eq!(
                (answer.status().as_u16(), code(answer)),
                (403, "attempt_cap")
            );
            assert_eq!(answer.headers()["retry-after"], "86400");
        }
        assert_eq!(
            (refused.len(), dialled(&memory)),
            (CALLERS - 3, 3),
            "seed {seed}"
        );
        // Who was refused gave the seat back.
        assert_eq!(tests::finish(memory.seats_taken("roomy")), Ok(3));
        // Another number has attempts of its own.
        assert_eq!(memory.put_to(create("+15005550007", 1)).status(), 201);
    }
}

/// Dials that Twilio refused are no attempts in the end.
#[test]
fn attempts_that_are_taken_back_leave_room() {
    for seed in 0..ORDERS {
        let memory = roomy(&json!({ "attempts_per_day": 3 }));
        // Twilio has no time for this number.
        let requests = (0..CALLERS).map(|who| create("+15005550019", who));
        memory.put_together(seed, requests.collect());
        let placed = memory.twilio.placed.borrow().len();
        assert_eq!(placed, 0, "seed {seed}");
        let counted = memory.documents.borrow();
        let counted = counted
            .iter()
            .find(|((_, name), _)| name.starts_with("attempts/"));
        let counted: Value = serde_json::from_str(counted.unwrap().1).unwrap();
        assert_eq!(counted["made"], json!([]), "seed {seed}");
        assert_eq!(tests::finish(memory.seats_taken("roomy")), Ok(0));
    }
}

#[test]
fn one_key_is_one_call() {
    for seed in 0..ORDERS {
        let memory = Memory::demo();
        let requests = (0..CALLERS).map(|_| {
            let mut request = trigger("+15005550006");
            let key = "the same".parse().unwrap();
            request.headers_mut().insert("idempotency-key", key);
            request
        });
        let answers = memory.put_together(seed, requests.collect());
        assert_eq!(
            (placed(&answers).len(), dialled(&memory)),
            (1, 1),
            "seed {seed}"
        );
        assert_eq!(tests::finish(memory.seats_taken("demo")), Ok(1));
    }
}

/// Ten seats and an agent of everybody's: ten calls, whoever they are.
#[test]
fn seats_are_given_once() {
    for seed in 0..ORDERS {
        let memory = Memory::demo();
        let requests = (0..CALLERS).map(|_| trigger("+15005550006"));
        let answers = memory.put_together(seed, requests.collect());
        assert_eq!((placed(&answers).len(), dialled(&memory)), (10, 10));
        let lists = Request::get("/v1/calls?status=ended").header("x-api-key", KEY);
        let listed = memory.put_to(lists.body(Vec::new()).unwrap());
        let listed: Value = serde_json::from_slice(listed.body()).unwrap();
        assert_eq!(listed["data"].as_array().unwrap().len(), CALLERS - 10);
    }
}

/// A call that a gate closed on right before its dial rang nobody: the same request is placed once the gate is open.
#[test]
fn a_like_request_after_a_gate_closed_is_placed() {
    let mut closed = 0;
    for seed in 0..ORDERS {
        let memory = roomy(&json!({ "attempts_per_day": 1 }));
        let requests = (0..2).map(|who| create("+15005550006", who));
        let answers = memory.put_together(seed, requests.collect());
        let refused = (0..2).find(|who| code(&answers[*who]) == "attempt_cap");
        let refused = refused.expect("one of them is too many");
        closed += usize::from(memory.calls.borrow().len() == 2);
        set_up(&memory, &json!({}));
        let again = memory.put_to(create("+15005550006", refused));
        assert_eq!(
            (again.status().as_u16(), code(&again)),
            (201, ""),
            "seed {seed}"
        );
        assert!(!again.headers().contains_key("idempotent-replayed"));
    }
    assert!(closed > 0, "no gate closed after a call was stored");
}
