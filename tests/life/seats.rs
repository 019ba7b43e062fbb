//! The limits apart from the organization's seats: a pace, an agent's own seats, seats kept for calls that come in.
//! Each refuses in its own words, and the call it refused can say later which it was.

use super::crm::import;
use super::{KEY, sockets};
use functions::Platform as _;
use http::{Request, Response};
use serde_json::{Value, json};
use tests::driver::Driver;
use tests::memory::Memory;

/// The demo organization with other limits.
fn limited(limits: Value) -> Memory {
    let memory = Memory::demo();
    let demo = include_str!("../demo.ndjson");
    let lines = demo.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        if line["type"] == "organization" && line["id"] == "demo" {
            let all = limits.as_object().unwrap().clone();
            line.as_object_mut().unwrap().extend(all);
        }
        line.to_string()
    });
    import(&memory, &lines.collect::<Vec<_>>().join("\n"));
    memory
}

fn ask(memory: &Memory, method: &str, path: &str, body: &Value) -> Response<Vec<u8>> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("x-api-key", KEY)
        .body(body.to_string().into_bytes());
    memory.put_to(request.unwrap())
}

fn create(memory: &Memory, external_id: &str) -> Response<Vec<u8>> {
    let body = json!({ "agent_id": "reminder", "to": "+15005550006", "external_id": external_id });
    ask(memory, "POST", "/v1/calls", &body)
}

fn read(answer: &Response<Vec<u8>>) -> Value {
    serde_json::from_slice(answer.body()).unwrap()
}

/// What `explain` says of the call with this external id.
fn explained(memory: &Memory, external_id: &str) -> Value {
    let path = format!("/v1/calls?external_id={external_id}");
    let listed = read(&ask(memory, "GET", &path, &Value::Null));
    let id = listed["data"][0]["id"].as_str().unwrap().to_owned();
    read(&ask(
        memory,
        "GET",
        &format!("/v1/calls/{id}/explain"),
        &Value::Null,
    ))
}

#[track_caller]
fn refused(answer: &Response<Vec<u8>>, retry_after: &str, limit: &str, detail: &str) {
    let said = read(answer);
    assert_eq!(answer.status(), 429, "{said:#}");
    assert_eq!(answer.headers()["x-error-code"], "no_capacity");
    assert_eq!(answer.headers()["retry-after"], retry_after);
    assert_eq!(said["capacity"]["limit"], limit);
    assert_eq!(said["detail"], detail);
}

#[test]
fn a_pace_lets_so_many_begin_in_a_second() {
    let memory = limited(json!({ "calls_per_second": 2 }));
    assert_eq!(create(&memory, "1").status(), 201);
    assert_eq!(create(&memory, "2").status(), 201);
    // Whoever sends as many as the fleet takes is refused none.
    let fleet = read(&ask(&memory, "GET", "/health/fleet", &Value::Null));
    assert_eq!(
        (&fleet["fleet_calls"], &fleet["fleet_available"]),
        (&json!(2), &json!(0))
    );
    let text = "Too many calls at once: no more than 2 may begin in one second";
    let third = create(&memory, "3");
    refused(&third, "1", "calls_per_second", text);
    assert_eq!(
        read(&third)["capacity"],
        json!({ "limit": "calls_per_second", "taken": 2, "most": 2 })
    );
    let explained = explained(&memory, "3");
    let seat = explained["gates"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&seat["name"], &seat["passed"], &seat["evidence"]),
        (
            &json!("seat"),
            &json!(false),
            &json!(format!("{text} (2 of 2)"))
        )
    );
    assert_eq!(
        explained["why"],
        format!("{text}; the call was never dialled.")
    );
    // Other APIs say it in their words, and all when to come back.
    let body = json!({ "phone_number": "+15005550006" });
    let asisso = ask(&memory, "POST", super::TRIGGER, &body);
    assert_eq!(asisso.status(), 429);
    assert_eq!(asisso.headers()["retry-after"], "1");
    assert_eq!(read(&asisso)["detail"], text);
    // A phone that rings in does not wait, and counts for nobody's pace.
    assert!(sockets::open(&memory, sockets::BOT).is_ok());
    memory.pass_s(1);
    let fleet = read(&ask(&memory, "GET", "/health/fleet", &Value::Null));
    assert_eq!(
        (&fleet["fleet_calls"], &fleet["fleet_available"]),
        (&json!(3), &json!(2))
    );
    assert_eq!(create(&memory, "4").status(), 201);
    assert_eq!(create(&memory, "5").status(), 201);
    assert_eq!(create(&memory, "6").status(), 429);
    assert_eq!(memory.twilio.asked.borrow().len(), 4);
}

#[test]
fn seats_kept_for_calls_that_come_in() {
    let memory = limited(json!({ "seats": 3, "inbound_reserve": 2 }));
    assert_eq!(create(&memory, "1").status(), 201);
    let text = "Concurrent call limit reached: the seats left are kept for incoming calls";
    refused(&create(&memory, "2"), "10", "inbound_reserve", text);
    for _ in 0..2 {
        assert!(sockets::open(&memory, sockets::BOT).is_ok());
    }
    // Now every seat is taken, which says more than whom the last were kept for.
    let full = "Concurrent call limit reached";
    refused(&create(&memory, "3"), "10", "organization", full);
    assert!(sockets::open(&memory, sockets::BOT).is_err());
    assert_eq!(tests::finish(memory.seats_taken("demo")), Ok(3));
    let why = |id: &str| explained(&memory, id)["why"].clone();
    assert_eq!(why("2"), format!("{text}; the call was never dialled."));
    assert_eq!(why("3"), format!("{full}; the call was never dialled."));
}

/// A call for later meets the pace when its time has come, and is put off by no more than it needs.
#[test]
fn a_call_for_later_keeps_the_pace() {
    let memory = limited(json!({ "calls_per_second": 1 }));
    let at = memory.now().plus_s(10).rfc3339();
    for number in 0..3 {
        let body = json!({
            "agent_id": "reminder", "to": format!("+1500555000{number}"), "earliest_at": at,
        });
        assert_eq!(ask(&memory, "POST", "/v1/calls", &body).status(), 201);
    }
    memory.pass_s(10);
    let mut begun = Vec::new();
    for _ in 0..60 {
        let before = memory.twilio.asked.borrow().len();
        memory.wake_due();
        begun.push(memory.twilio.asked.borrow().len() - before);
        memory.pass_s(1);
    }
    assert!(begun.iter().all(|calls| *calls <= 1), "{begun:?}");
    assert_eq!(begun.iter().sum::<usize>(), 3, "{begun:?}");
}
