//! The list of calls over time: entries without calls, searches that take several requests, pages that stand still.

use super::{KEY, trigger};
use http::Request;
use serde_json::{Value, json};
use tests::driver::Driver;
use tests::memory::Memory;

fn get(memory: &Memory, path: &str) -> Value {
    let request = Request::get(path).header("x-api-key", KEY).body(Vec::new());
    let answer = memory.put_to(request.unwrap());
    assert_eq!(answer.status(), 200, "{path}");
    serde_json::from_slice(answer.body()).unwrap()
}

/// Places a call that is refused at once, so that it holds no seat.
fn place(memory: &Memory, external_id: &str) {
    let body = json!({ "agent_id": "reminder", "to": "+15005550001", "external_id": external_id });
    let request = Request::post("/v1/calls")
        .header("x-api-key", KEY)
        .body(body.to_string().into_bytes());
    assert_eq!(memory.put_to(request.unwrap()).status(), 422);
}

fn names(list: &Value) -> Vec<&str> {
    let calls = list["data"].as_array().unwrap();
    calls
        .iter()
        .map(|call| call["external_id"].as_str().unwrap_or_default())
        .collect()
}

/// The host dies between entering a call and storing it: the entry is passed over, and no call is missing.
#[test]
fn an_entry_without_a_call_is_passed_over() {
    let memory = Memory::demo();
    place(&memory, "first");
    memory.fail_after(1);
    assert_eq!(memory.put_to(trigger("+15005550006")).status(), 500);
    memory.heal();
    place(&memory, "second");
    assert_eq!(memory.series.borrow().values().next().unwrap().len(), 3);
    let list = get(&memory, "/v1/calls");
    assert_eq!(names(&list), ["second", "first"]);
    assert_eq!(list["has_more"], false);
    let page = get(&memory, "/api/v1/campaigns/get-call-details?page=1&limit=2");
    assert_eq!(page["data"].as_array().unwrap().len(), 1);
    assert_eq!(page["has_more"], true);
}

/// Two requests with one idempotency key enter their call twice; it is shown once, under the number its record names.
#[test]
fn a_call_entered_twice_is_shown_once() {
    let memory = Memory::demo();
    place(&memory, "one");
    let again = memory.series.borrow().values().next().unwrap()[0].clone();
    memory
        .series
        .borrow_mut()
        .values_mut()
        .next()
        .unwrap()
        .push(again);
    assert_eq!(names(&get(&memory, "/v1/calls")), ["one"]);
    assert_eq!(names(&get(&memory, "/v1/calls?external_id=one")), ["one"]);
}

/// An entry written by a later version is left to it.
#[test]
fn an_entry_of_another_form_is_passed_over() {
    let memory = Memory::demo();
    place(&memory, "one");
    memory
        .series
        .borrow_mut()
        .values_mut()
        .next()
        .unwrap()
        .push(r#"{"v":2,"call":"x"}"#.to_owned());
    assert_eq!(names(&get(&memory, "/v1/calls")), ["one"]);
}

/// One request does a bounded share of the work; going on with the cursor finds everything once, and ends.
#[test]
fn a_search_goes_on_until_everything_was_looked_at() {
    let memory = Memory::demo();
    place(&memory, "needle");
    for number in 0..1_150 {
        place(&memory, &format!("hay-{number}"));
    }
    place(&memory, "needle");
    for (filter, most_reads) in [("external_id=needle", 10), ("outcome=completed", 250)] {
        let (mut found, mut requests) = (0, 0);
        let mut path = format!("/v1/calls?{filter}");
        loop {
            let before = memory.operations.borrow().call_requests;
            let list = get(&memory, &path);
            assert!(memory.operations.borrow().call_requests - before <= most_reads);
            requests += 1;
            found += list["data"].as_array().unwrap().len();
            let Some(cursor) = list["next_cursor"].as_str() else {
                break;
            };
            assert_eq!(list["has_more"], true);
            path = format!("/v1/calls?{filter}&cursor={cursor}");
        }
        match filter {
            "external_id=needle" => assert_eq!((found, requests), (2, 2)),
            _ => assert_eq!((found, requests), (0, 6)),
        }
    }
}

/// What is older than asked for is not looked through.
#[test]
fn a_search_ends_at_its_beginning_in_time() {
    let memory = Memory::demo();
    for number in 0..250 {
        place(&memory, &format!("old-{number}"));
    }
    memory.pass_s(7_200);
    place(&memory, "new");
    let since = calls::time::Time(1_795_167_000_000).plus_s(3_600).rfc3339();
    let before = memory.operations.borrow().document_requests;
    let list = get(&memory, &format!("/v1/calls?created_from={since}"));
    assert_eq!(names(&list), ["new"]);
    assert_eq!(list["has_more"], false);
    assert_eq!(memory.operations.borrow().document_requests - before, 1);
}

/// What is newer than asked for is not looked through either.
#[test]
fn a_search_begins_at_its_end_in_time() {
    let memory = Memory::demo();
    for number in 0..50 {
        place(&memory, &format!("old-{number}"));
    }
    memory.pass_s(7_200);
    for number in 0..1_200 {
        place(&memory, &format!("new-{number}"));
    }
    let before = calls::time::Time(1_795_167_000_000).plus_s(3_600).rfc3339();
    let asked = memory.operations.borrow().document_requests;
    let path = format!("/v1/calls?created_before={before}&limit=40");
    let list = get(&memory, &path);
    assert!(memory.operations.borrow().document_requests - asked < 10);
    assert_eq!((names(&list).len(), names(&list)[0]), (40, "old-49"));
    let next = list["next_cursor"].as_str().unwrap();
    let list = get(&memory, &format!("{path}&cursor={next}"));
    assert_eq!((names(&list).len(), names(&list)[9]), (10, "old-0"));
    assert_eq!(list["has_more"], false);
    let list = get(&memory, "/v1/calls?created_before=2026-11-01");
    assert_eq!(names(&list).len(), 0);
}

/// Pages count from where the first one began, for a quarter of an hour after the last was read.
#[test]
fn pages_stand_still_for_a_while() {
    let memory = Memory::demo();
    for number in 0..4 {
        place(&memory, &number.to_string());
    }
    let page = |number: u32| {
        let path = format!("/api/v1/campaigns/get-call-details?page={number}&limit=2");
        let page = get(&memory, &path);
        let ids: Vec<String> = page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|call| call["call_id"].to_string())
            .collect();
        (ids, page["total"].as_u64().unwrap())
    };
    let (first, _) = page(1);
    let (second, total) = page(2);
    assert_eq!(total, 4);
    place(&memory, "meanwhile");
    for _ in 0..3 {
        memory.pass_s(600);
        assert_eq!(page(2), (second.clone(), 4));
    }
    memory.pass_s(901);
    let (moved, total) = page(2);
    assert_eq!(total, 5);
    assert_eq!(moved, [first[1].clone(), second[0].clone()]);
}

/// A call for later is checked as of its time and asks for its seat then.
#[test]
fn a_dry_run_of_a_call_for_later() {
    let memory = Memory::demo();
    let at = calls::time::Time(1_795_167_000_000).plus_s(3_600).rfc3339();
    let body = json!({ "agent_id": "reminder", "to": "+15005550006", "earliest_at": at });
    let request = Request::post("/v1/calls?dry_run=true")
        .header("x-api-key", KEY)
        .body(body.to_string().into_bytes());
    let answer = memory.put_to(request.unwrap());
    let shown: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(
        (answer.status().as_u16(), &shown["would_place"]),
        (200, &json!(true))
    );
    assert_eq!(shown["earliest_at"], at.as_str());
    let gates = shown["gates"].as_array().unwrap();
    assert!(gates.iter().all(|gate| gate["name"] != "seat"), "{shown:#}");
    assert!(memory.calls.borrow().is_empty() && memory.series.borrow().is_empty());
}
