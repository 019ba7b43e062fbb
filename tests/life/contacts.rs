//! Contacts: one for each number an organization's AlloMia calls reached out to, and none for a request that was refused.

use super::{Placed, answered_in};
use http::{Request, Response};
use serde_json::{Value, json};
use tests::driver::Driver;
use tests::memory::Memory;

const DEMO: &str = "rd_test_demo_rest_4f1c2a9e7b3d5860";
const GROUP: &str = "rd_test_group_rest_0246813579bdfACE";

fn outbound(memory: &Memory, to: &str, name: Option<&str>) -> Response<Vec<u8>> {
    let body = json!({
        "phoneNumber": to,
        "assistantId": "019addcc-b878-7b10-85f1-49f21342f947",
        "phoneNumberId": "6a1d2c3b-0000-4000-8000-000000000041",
        "customerName": name,
    });
    send(memory, DEMO, &body)
}

fn send(memory: &Memory, key: &str, body: &Value) -> Response<Vec<u8>> {
    let request = Request::post("/api/outbound")
        .header("authorization", format!("Bearer {key}"))
        .body(body.to_string().into_bytes());
    memory.put_to(request.unwrap())
}

fn contact_id(answer: &Response<Vec<u8>>) -> String {
    assert_eq!(answer.status(), 200);
    let shown: Value = serde_json::from_slice(answer.body()).unwrap();
    shown["contactId"].as_str().unwrap().to_owned()
}

/// Numbers, ids and names of all contacts.
fn contacts(memory: &Memory) -> Vec<(String, String, Value)> {
    let documents = memory.documents.borrow();
    let contacts = documents.iter().filter_map(|((_, name), text)| {
        let number = name.strip_prefix("contact/")?.to_owned();
        let kept: Value = serde_json::from_str(text).unwrap();
        Some((
            number,
            kept["id"].as_str().unwrap().to_owned(),
            kept["name"].clone(),
        ))
    });
    contacts.collect()
}

#[test]
fn one_for_each_number() {
    let memory = Memory::demo();
    let id = contact_id(&outbound(&memory, "+15005550010", Some("Jane")));
    let kept = |name: &str| vec![("+15005550010".to_owned(), id.clone(), json!(name))];
    assert_eq!(contacts(&memory), kept("Jane"));
    // The same number written otherwise; a call without a name keeps the one known.
    assert_eq!(contact_id(&outbound(&memory, "(500) 555-0010", None)), id);
    assert_eq!(contacts(&memory), kept("Jane"));
    assert_eq!(
        contact_id(&outbound(&memory, "+15005550010", Some("Jane Roe"))),
        id
    );
    assert_eq!(contacts(&memory), kept("Jane Roe"));
    // Another organization's contact of that number is another.
    let body = json!({
        "phoneNumber": "+15005550010",
        "assistantId": "019addcc-0000-7000-8000-000000000223",
        "phoneNumberId": "6a1d2c3b-0000-4000-8000-000000000077",
    });
    assert_ne!(contact_id(&send(&memory, GROUP, &body)), id);
    assert_eq!(contacts(&memory).len(), 2);
}

#[test]
fn none_for_a_refused_request() {
    for (to, status) in [
        ("call me maybe", 400),
        ("+19005550100", 400),
        ("+15005550100", 400),
        // Twilio does not take the number, or no more calls.
        ("+15005550001", 400),
        ("+15005550019", 503),
    ] {
        let memory = Memory::demo();
        let answer = outbound(&memory, to, Some("Jane"));
        assert_eq!(answer.status(), status, "{to}");
        assert_eq!(contacts(&memory), [], "{to}");
    }
    let memory = Memory::demo();
    for _ in 0..10 {
        outbound(&memory, "+15005550006", None);
    }
    let answer = outbound(&memory, "+15005550010", Some("Jane"));
    assert_eq!(answer.status(), 503, "no seat is free");
    assert_eq!(contacts(&memory).len(), 1);
}

/// The phone rings before the contact is entered: a store that fails just then neither fails the call nor loses the
/// contact, and what was learned since stays.
#[test]
fn entered_late_if_the_store_fails() {
    let failures = (0..20).filter(|working| {
        let memory = Memory::demo();
        memory.fail_after(*working);
        let answer = outbound(&memory, "+15005550006", Some("Jane"));
        memory.heal();
        let lost = answer.status() == 200 && contacts(&memory).is_empty();
        if lost {
            let placed = Placed { memory, answer };
            let sid = placed.sid();
            let standing = &placed.memory.twilio.standing;
            standing.borrow_mut().insert(sid, "completed".to_owned());
            placed.pass(120);
            let kept = contacts(&placed.memory);
            assert_eq!(kept.len(), 1, "after {working} operations");
            assert_eq!(kept[0].2, "Jane");
        }
        lost
    });
    assert!(failures.count() > 0, "no failure fell on the contact");
    let memory = Memory::demo();
    let answer = outbound(&memory, "+15005550006", Some("Jane"));
    let placed = answered_in(Placed { memory, answer });
    outbound(&placed.memory, "+15005550006", Some("Jane Roe"));
    placed.voice_ended(calls::voice::EndedBy::Contact, "contact_hung_up");
    placed.status("completed");
    placed.pass(2);
    assert_eq!(contacts(&placed.memory)[0].2, "Jane Roe");
}

/// The contact's id depends on nothing stored, so two first calls at the same time name the same one.
#[test]
fn two_first_calls_agree() {
    let ids = [Memory::demo(), Memory::demo()].map(|memory| {
        let id = contact_id(&outbound(&memory, "+15005550010", None));
        assert_eq!(contacts(&memory)[0].1, id);
        id
    });
    assert_eq!(ids[0], ids[1]);
}
