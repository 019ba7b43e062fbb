//! Hosts without alarms: the launcher's ticks, and the wake-ups it asks for, side by side.

use super::later::{asked, create, ends, later, status};
use calls::id::CallId;
use calls::voice::{SIGNATURE_HEADER, TIMESTAMP_HEADER, sign_launcher};
use calls::wake::{Due, Ticked, Wake};
use functions::{Answer, Platform};
use http::Request;
use serde_json::{Value, json};
use std::pin::Pin;
use std::task::{Context, Waker};
use tests::driver::Driver;
use tests::memory::Memory;

const OTHER: &str = "rd_test_other_rest_8877665544332211";
const HANGS: &str = "https://crm.example/hangs";

fn host() -> Memory {
    let memory = Memory::new(true);
    memory.import_demo();
    memory
}

fn from_launcher(memory: &Memory, path: &str, body: String) -> Request<Vec<u8>> {
    let at = memory.now().unix_s();
    let signature = sign_launcher(Memory::LAUNCHER_KEY, at, "POST", path, body.as_bytes());
    let request = Request::post(path)
        .header(TIMESTAMP_HEADER, at.to_string())
        .header(SIGNATURE_HEADER, signature);
    request.body(body.into_bytes()).unwrap()
}

fn tick(memory: &Memory) -> Vec<Due> {
    let answer = memory.put_to(from_launcher(memory, "/internal/tick", String::new()));
    assert_eq!(answer.status(), 200);
    let ticked: Ticked = serde_json::from_slice(answer.body()).unwrap();
    assert!(!ticked.more);
    ticked.due
}

fn wake_up(memory: &Memory, due: &Due) -> Request<Vec<u8>> {
    let ticket = due.ticket.clone();
    let path = format!("/internal/wake/{}", due.call);
    from_launcher(memory, &path, json!(Wake { ticket }).to_string())
}

fn wake(memory: &Memory, due: &Due) {
    assert_eq!(memory.put_to(wake_up(memory, due)).status(), 204);
}

/// Begins a wake-up that comes to no end.
fn hang<'a>(memory: &'a Memory, due: &Due) -> Pin<Box<dyn Future<Output = Answer> + 'a>> {
    let mut waking = Box::pin(functions::answer(memory, wake_up(memory, due)));
    let polled = waking
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending(), "it was to hang");
    waking
}

/// Lets time pass as a launcher sees to it.
fn pass(memory: &Memory, seconds: u64) {
    for _ in 0..seconds {
        memory.pass_s(1);
        for due in tick(memory) {
            wake(memory, &due);
        }
    }
}

/// A call of the organization "other" for later.
fn others(memory: &Memory, in_s: u64) -> CallId {
    let body = json!({
        "agent_id": "other-agent", "to": "+15005550006",
        "earliest_at": memory.now().plus_s(in_s).rfc3339(),
        "latest_at": memory.now().plus_s(in_s + 10).rfc3339(),
    });
    let request = Request::post("/v1/calls").header("x-api-key", OTHER);
    let answer = memory.put_to(request.body(body.to_string().into_bytes()).unwrap());
    let said = String::from_utf8_lossy(answer.body());
    assert_eq!(answer.status(), 201, "{said}");
    CallId::parse(answer.headers()["x-call-id"].to_str().unwrap()).unwrap()
}

/// A call that has ended as busy, and is due to report that to a server that hangs.
fn ended(memory: &Memory) -> CallId {
    let id = create(memory, "+15005550010", json!({ "callback_url": HANGS }));
    status(memory, 0, "busy");
    memory.outside.hanging.borrow_mut().insert(HANGS.to_owned());
    id
}

fn sent(memory: &Memory) -> usize {
    memory.outside.seen.borrow().len()
}

fn call_of(memory: &Memory, key: &str, id: CallId) -> Value {
    let request = Request::get(format!("/v1/calls/{id}")).header("x-api-key", key);
    let answer = memory.put_to(request.body(Vec::new()).unwrap());
    serde_json::from_slice(answer.body()).unwrap()
}

#[test]
fn a_receiver_that_hangs_holds_up_no_other_organization() {
    let memory = host();
    let reported = ended(&memory);
    let scheduled = others(&memory, 5);
    memory.pass_s(1);
    let due = tick(&memory);
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].call, reported.to_string());
    assert_eq!(due[0].lane, "demo/reports");
    let hanging = hang(&memory, &due[0]);
    assert_eq!(sent(&memory), 1);
    for _ in 0..3 {
        memory.pass_s(1);
        assert_eq!(tick(&memory), [], "nobody is given out twice at once");
    }
    memory.pass_s(1);
    let due = tick(&memory);
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].call, scheduled.to_string());
    assert_eq!(due[0].lane, "other/calls");
    wake(&memory, &due[0]);
    assert_eq!(asked(&memory), 2, "it was not dialled in time");

    // The launcher is killed, and the next one finds the report still to be sent. Nobody knows whether it arrived.
    drop(hanging);
    memory.outside.hanging.borrow_mut().clear();
    pass(&memory, 24);
    assert_eq!(sent(&memory), 1, "before the claim ran out");
    pass(&memory, 40);
    assert_eq!(sent(&memory), 2);
    let sid = memory.twilio.placed.borrow()[1].0.clone();
    let mut standing = memory.twilio.standing.borrow_mut();
    standing.insert(sid, "canceled".to_owned());
    drop(standing);
    pass(&memory, 120);
    ends(&memory, reported, "busy", "busy");
    assert_eq!(call_of(&memory, OTHER, scheduled)["outcome"], "canceled");
    assert!(memory.wakes.borrow().is_empty() && memory.given_out.borrow().is_empty());
    assert_eq!(sent(&memory), 2);
}

/// Who was to wake it is killed before, or just after: it comes again, and what was done is not done twice.
#[test]
fn a_ticket_that_is_not_handed_in_brings_the_call_again() {
    for done in [false, true] {
        let memory = host();
        later(&memory, 5, 100);
        memory.pass_s(5);
        let due = tick(&memory).remove(0);
        if done {
            wake(&memory, &due);
            memory
                .given_out
                .borrow_mut()
                .insert(CallId::parse(&due.call).unwrap(), memory.now().plus_s(30));
        }
        for _ in 0..29 {
            memory.pass_s(1);
            assert_eq!(tick(&memory), []);
        }
        assert_eq!(asked(&memory), usize::from(done));
        pass(&memory, 1);
        assert_eq!(asked(&memory), 1);
    }
}

#[test]
fn a_wake_up_that_fails_comes_again() {
    let memory = host();
    later(&memory, 5, 100);
    memory.pass_s(5);
    let due = tick(&memory).remove(0);
    memory.failing.set(1);
    wake(&memory, &due);
    assert_eq!(asked(&memory), 0);
    pass(&memory, 15);
    assert_eq!(asked(&memory), 1);
    // Not even the next wake-up can be asked for.
    let memory = host();
    later(&memory, 5, 100);
    memory.pass_s(5);
    let due = tick(&memory).remove(0);
    memory.fail_after(0);
    assert_eq!(memory.put_to(wake_up(&memory, &due)).status(), 500);
    memory.heal();
    pass(&memory, 30);
    assert_eq!(asked(&memory), 1);
}
