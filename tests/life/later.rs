//! Calls for later: dialled once when their time comes, put off, refused, cancelled; whoever dies meanwhile.

use super::{ACCOUNT, KEY, TOKEN};
use calls::event::Event;
use calls::id::CallId;
use calls::secret::Secret;
use calls::twilio::signature;
use functions::{Owner, Platform};
use http::{Request, Response};
use serde_json::{Value, json};
use tests::driver::Driver;
use tests::memory::Memory;

/// A request to our own API.
pub(super) fn request(
    memory: &Memory,
    method: &str,
    path: &str,
    body: &Value,
) -> Response<Vec<u8>> {
    let body = match body {
        Value::Null => Vec::new(),
        body => body.to_string().into_bytes(),
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("x-api-key", KEY)
        .body(body);
    memory.put_to(request.unwrap())
}

/// Places a call of the agent "reminder" with these fields beside; its id.
pub(super) fn create(memory: &Memory, to: &str, beside: Value) -> CallId {
    let mut body = json!({ "agent_id": "reminder", "to": to });
    for (name, value) in beside.as_object().unwrap() {
        body[name] = value.clone();
    }
    let answer = request(memory, "POST", "/v1/calls", &body);
    let said = String::from_utf8_lossy(answer.body()).into_owned();
    assert_eq!(answer.status(), 201, "{said}");
    CallId::parse(answer.headers()["x-call-id"].to_str().unwrap()).unwrap()
}

pub(super) fn call(memory: &Memory, id: CallId) -> Value {
    let answer = request(memory, "GET", &format!("/v1/calls/{id}"), &Value::Null);
    serde_json::from_slice(answer.body()).unwrap()
}

/// `POST /v1/calls/{id}/{what}`: the status.
pub(super) fn ask(memory: &Memory, id: CallId, what: &str) -> u16 {
    let answer = request(
        memory,
        "POST",
        &format!("/v1/calls/{id}/{what}"),
        &Value::Null,
    );
    answer.status().as_u16()
}

/// Twilio's callback about the `nth` call it placed.
pub(super) fn callback(memory: &Memory, nth: usize, path: &str, fields: &[(&str, &str)]) -> String {
    callback_by(memory, nth, (path, TOKEN), fields)
}

/// The same, signed with another auth token.
pub(super) fn callback_by(
    memory: &Memory,
    nth: usize,
    (path, token): (&str, &str),
    fields: &[(&str, &str)],
) -> String {
    let (sid, _) = memory.twilio.placed.borrow()[nth].clone();
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("AccountSid", ACCOUNT);
    form.append_pair("CallSid", &sid);
    for (name, value) in fields {
        form.append_pair(name, value);
    }
    let body = form.finish().into_bytes();
    let url = format!("https://gw.example{path}");
    let request = Request::post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .header(
            "x-twilio-signature",
            signature::sign(&Secret::new(token), &url, &body),
        )
        .body(body);
    let answer = memory.put_to(request.unwrap());
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    String::from_utf8_lossy(answer.body()).into_owned()
}

/// The path that Twilio was given for the `nth` call as `field`.
pub(super) fn path(memory: &Memory, nth: usize, field: &str) -> String {
    let (_, form) = memory.twilio.placed.borrow()[nth].clone();
    let url = form[field].split('#').next().unwrap().to_owned();
    url.strip_prefix("https://gw.example").unwrap().to_owned()
}

pub(super) fn status(memory: &Memory, nth: usize, word: &str) {
    let path = path(memory, nth, "StatusCallback");
    callback(memory, nth, &path, &[("CallStatus", word)]);
}

pub(super) fn pass(memory: &Memory, seconds: u64) {
    for _ in 0..seconds {
        memory.pass_s(1);
        memory.wake_due();
    }
}

pub(super) fn asked(memory: &Memory) -> usize {
    memory.twilio.asked.borrow().len()
}

#[track_caller]
pub(super) fn ends(memory: &Memory, id: CallId, outcome: &str, reason: &str) {
    let call = call(memory, id);
    assert_eq!(call["status"], "ended", "{call:#}");
    assert_eq!(
        (call["outcome"].as_str(), call["end_reason"].as_str()),
        (Some(outcome), Some(reason)),
        "{call:#}"
    );
    assert_eq!(tests::finish(memory.seats_taken("demo")), Ok(0));
    assert!(memory.running.borrow().is_empty(), "a container runs");
}

pub(super) fn in_s(memory: &Memory, seconds: u64) -> String {
    memory.now().plus_s(seconds).rfc3339()
}

pub(super) fn later(memory: &Memory, earliest_s: u64, latest_s: u64) -> CallId {
    let times =
        json!({ "earliest_at": in_s(memory, earliest_s), "latest_at": in_s(memory, latest_s) });
    create(memory, "+15005550006", times)
}

/// Changes a configured agent.
pub(super) fn change(memory: &Memory, agent: &str, change: impl FnOnce(&mut Value)) {
    change_stored(memory, &format!("agent/{agent}"), change);
}

/// Changes what is configured under a name.
pub(super) fn change_stored(memory: &Memory, key: &str, change: impl FnOnce(&mut Value)) {
    let mut stored: Value = serde_json::from_str(&memory.config.stored.borrow()[key]).unwrap();
    change(&mut stored);
    memory
        .config
        .stored
        .borrow_mut()
        .insert(key.to_owned(), stored.to_string());
    memory.config.catch_up();
}

#[test]
fn a_call_for_later_is_dialled_once_when_its_time_comes() {
    let memory = Memory::demo();
    let id = later(&memory, 3 * 86_400, 4 * 86_400);
    assert_eq!(call(&memory, id)["status"], "scheduled");
    assert_eq!(tests::finish(memory.seats_taken("demo")), Ok(0));
    memory.pass_s(3 * 86_400 - 5);
    pass(&memory, 4);
    assert_eq!(asked(&memory), 0);
    pass(&memory, 2);
    assert_eq!(asked(&memory), 1);
    assert_eq!(call(&memory, id)["status"], "dialing");
    assert_eq!(tests::finish(memory.seats_taken("demo")), Ok(1));
    // Three days after it was created its callbacks are still its own, and nothing takes it for overdue.
    status(&memory, 0, "ringing");
    pass(&memory, 20);
    assert_eq!(call(&memory, id)["status"], "ringing");
    status(&memory, 0, "busy");
    ends(&memory, id, "busy", "busy");
    assert_eq!(asked(&memory), 1);
}

/// A tick that runs twice, an alarm that fires again: nothing is dialled twice.
#[test]
fn two_wakers_dial_once() {
    let memory = Memory::demo();
    let id = later(&memory, 10, 100);
    memory.pass_s(10);
    for _ in 0..5 {
        tests::finish(functions::wake(&memory, id)).unwrap();
    }
    assert_eq!(asked(&memory), 1);
}

#[test]
fn without_a_seat_it_is_tried_until_its_latest_time() {
    let memory = Memory::demo();
    let id = later(&memory, 10, 60);
    memory.hold_seats("demo", 10, memory.now().plus_s(40));
    pass(&memory, 35);
    assert_eq!(asked(&memory), 0);
    let waiting = call(&memory, id);
    assert_eq!(waiting["status"], "scheduled");
    assert!(waiting["timeline"].to_string().contains("no_capacity"));
    pass(&memory, 15);
    assert_eq!(asked(&memory), 1);

    let memory = Memory::demo();
    let id = later(&memory, 10, 60);
    memory.hold_seats("demo", 10, memory.now().plus_s(90));
    pass(&memory, 100);
    ends(&memory, id, "refused", "expired");
    assert_eq!(asked(&memory), 0);
}

#[test]
fn when_twilio_has_no_time_it_is_tried_again() {
    let memory = Memory::demo();
    let times = json!({ "earliest_at": in_s(&memory, 5), "latest_at": in_s(&memory, 40) });
    let id = create(&memory, "+15005550019", times);
    pass(&memory, 30);
    assert_eq!(call(&memory, id)["status"], "scheduled");
    assert!(asked(&memory) >= 2);
    assert_eq!(tests::finish(memory.seats_taken("demo")), Ok(0));
    pass(&memory, 30);
    ends(&memory, id, "refused", "expired");
    assert!(memory.twilio.placed.borrow().is_empty());
}

#[test]
fn what_twilio_refuses_is_not_tried_again() {
    let memory = Memory::demo();
    let id = create(
        &memory,
        "+15005550001",
        json!({ "earliest_at": in_s(&memory, 5), "retry": { "max_attempts": 3, "on": ["failed"] } }),
    );
    pass(&memory, 20);
    ends(&memory, id, "failed", "provider_refused_21217");
    assert_eq!(asked(&memory), 1);
    assert_eq!(call(&memory, id)["is_last_attempt"], true);
}

/// Between the request and its time the agent was taken out of service, or closed.
#[test]
fn every_gate_is_gone_through_again() {
    let memory = Memory::demo();
    let id = later(&memory, 10, 100);
    change(&memory, "reminder", |agent| agent["active"] = json!(false));
    pass(&memory, 15);
    ends(&memory, id, "refused", "agent_not_found");
    assert_eq!(asked(&memory), 0);
    let path = format!("/v1/calls/{id}/explain");
    let explained = request(&memory, "GET", &path, &Value::Null);
    let explained: Value = serde_json::from_slice(explained.body()).unwrap();
    let gate = &explained["gates"][0];
    assert_eq!(
        (&gate["name"], &gate["passed"]),
        (&json!("agent"), &json!(false)),
        "{gate}"
    );

    let memory = Memory::demo();
    let id = later(&memory, 10, 86_400);
    // It is 09:30 UTC.
    change(&memory, "reminder", |agent| {
        agent["active_hours"] =
            json!({ "timezone": "UTC", "days": [], "start": "10:00", "end": "11:00" });
    });
    pass(&memory, 15);
    assert_eq!(call(&memory, id)["status"], "scheduled");
    memory.pass_s(29 * 60);
    pass(&memory, 60);
    assert_eq!(asked(&memory), 1);

    let memory = Memory::demo();
    let id = later(&memory, 10, 100);
    change(&memory, "reminder", |agent| {
        agent["active_hours"] =
            json!({ "timezone": "UTC", "days": [], "start": "10:00", "end": "11:00" });
    });
    pass(&memory, 110);
    ends(&memory, id, "refused", "expired");
}

#[test]
fn a_cancelled_call_is_never_dialled() {
    let memory = Memory::demo();
    let id = later(&memory, 10, 100);
    assert_eq!(ask(&memory, id, "cancel"), 200);
    assert_eq!(ask(&memory, id, "cancel"), 200);
    pass(&memory, 120);
    ends(&memory, id, "canceled", "canceled_before_dial");
    assert_eq!(asked(&memory), 0);
}

/// Whoever decides first wins; the other one's wish is answered by what is.
#[test]
fn cancelling_races_with_dialling() {
    let memory = Memory::demo();
    let id = later(&memory, 10, 100);
    memory.pass_s(10);
    memory.wake_due();
    assert_eq!(ask(&memory, id, "cancel"), 409);
    assert_eq!(ask(&memory, id, "hangup"), 202);
    assert_eq!(memory.twilio.hung_up.borrow().len(), 1);
    status(&memory, 0, "canceled");
    ends(&memory, id, "canceled", "canceled");

    // The one who cancels dies after deciding: its decision holds.
    for survives in 1..3 {
        let memory = Memory::demo();
        let id = later(&memory, 10, 100);
        memory.fail_after(survives);
        assert_eq!(ask(&memory, id, "cancel"), 500, "survived {survives}");
        memory.heal();
        pass(&memory, 20);
        ends(&memory, id, "canceled", "canceled_before_dial");
        assert_eq!(asked(&memory), 0);
    }
}

/// A call is cancelled or hung up while another request is about to cancel it: both hear that it was.
#[test]
fn cancelling_races_with_cancelling() {
    for (survives, how) in [(1, "cancel"), (2, "cancel"), (1, "hangup"), (2, "hangup")] {
        let memory = Memory::demo();
        let id = later(&memory, 10, 100);
        memory.fail_after(survives);
        assert_eq!(ask(&memory, id, "cancel"), 500, "survived {survives}");
        memory.heal();
        assert_eq!(ask(&memory, id, how), 200, "{how}, survived {survives}");
        ends(&memory, id, "canceled", "canceled_before_dial");
        pass(&memory, 20);
        assert_eq!(asked(&memory), 0);
    }
}

/// A hang-up that comes while the dial is decided but unknown is carried out once the call is known.
#[test]
fn a_hang_up_meets_a_dial_without_an_answer() {
    let memory = Memory::demo();
    let times = json!({ "earliest_at": in_s(&memory, 5) });
    let id = create(&memory, "+15005550018", times);
    pass(&memory, 6);
    assert_eq!(call(&memory, id)["status"], "queued");
    assert_eq!(ask(&memory, id, "cancel"), 409);
    assert_eq!(ask(&memory, id, "hangup"), 202);
    assert!(memory.twilio.hung_up.borrow().is_empty());
    status(&memory, 0, "ringing");
    assert_eq!(memory.twilio.hung_up.borrow().len(), 1);
    status(&memory, 0, "canceled");
    ends(&memory, id, "canceled", "canceled");
}

/// The host dies after any number of steps of dialling a call whose time has come.
#[test]
fn the_host_dies_while_firing() {
    for survives in 0..12 {
        let memory = Memory::demo();
        let standing = &memory.twilio.standing;
        standing
            .borrow_mut()
            .insert(format!("CA{:032x}", 1), "busy".to_owned());
        let id = later(&memory, 10, 300);
        memory.pass_s(10);
        memory.fail_after(survives);
        memory.wake_due();
        memory.heal();
        pass(&memory, 200);
        assert!(asked(&memory) <= 1, "survived {survives}: dialled twice");
        let ended = call(&memory, id);
        assert_eq!(ended["status"], "ended", "survived {survives}: {ended:#}");
        // What was dialled is found at Twilio; what was not is dialled, or known never to have been.
        let outcome = ended["outcome"].as_str().unwrap();
        assert!(["busy", "lost"].contains(&outcome), "{ended:#}");
        assert_eq!(outcome == "busy", asked(&memory) == 1, "{ended:#}");
        assert_eq!(tests::finish(memory.seats_taken("demo")), Ok(0));
        assert!(memory.running.borrow().is_empty());
    }
}

/// Killed between the claim and Twilio's answer: the call is there, and its own callback brings it back.
#[test]
fn a_claimed_dial_is_adopted_by_its_callback() {
    let memory = Memory::demo();
    let id = later(&memory, 10, 300);
    memory.pass_s(10);
    // The seat and the claim are stored, and nothing after.
    memory.fail_after(2);
    memory.wake_due();
    memory.heal();
    assert_eq!(asked(&memory), 1);
    status(&memory, 0, "ringing");
    pass(&memory, 20);
    assert_eq!(call(&memory, id)["status"], "ringing");
    assert!(memory.twilio.hung_up.borrow().is_empty());
    status(&memory, 0, "no-answer");
    ends(&memory, id, "no_answer", "no_answer");
    assert_eq!(asked(&memory), 1);
}

/// A claim alone, by a host that never came back.
#[test]
fn a_claim_without_an_outcome_is_never_dialled() {
    let memory = Memory::demo();
    let id = later(&memory, 10, 300);
    let at = memory.now().plus_s(10).0;
    let claim = format!(r#"{{"v":1,"decided":{{"fire":{{"at":{at},"by":"somebody"}}}}}}"#);
    tests::finish(memory.swap(&Owner::Call(id), "fire", None, Some(&claim))).unwrap();
    pass(&memory, 120);
    assert_eq!(asked(&memory), 0);
    ends(&memory, id, "lost", "the provider knows of no such call");
}

/// The fold waits for nobody: the same facts in any order are the same call.
#[test]
fn a_scheduled_calls_facts_fold_in_any_order() {
    let memory = Memory::demo();
    let id = later(&memory, 10, 300);
    pass(&memory, 11);
    status(&memory, 0, "ringing");
    status(&memory, 0, "busy");
    let events = memory.calls.borrow()[&id].events.clone();
    let events: Vec<Event> = events
        .iter()
        .map(|(_, text)| Event::read(text).unwrap())
        .collect();
    let forth = calls::call::Call::fold(events.clone());
    let back = calls::call::Call::fold(events.iter().rev().chain(&events).cloned());
    assert_eq!(forth, back);
    assert!(forth.has("fired") && forth.has("ended"));
}
