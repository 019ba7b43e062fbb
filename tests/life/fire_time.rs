//! What changed between a request and its time: every gate is gone through again before the dial.

use super::crm::import;
use super::later::{
    asked, call, change_stored, create, ends, in_s, later, pass, path, request, status,
};
use calls::id::CallId;
use serde_json::{Value, json};
use tests::memory::Memory;

const NUMBER: &str = "+15005550006";

fn suppress(memory: &Memory) {
    let answer = request(
        memory,
        "POST",
        "/v1/suppressions",
        &json!({ "number": NUMBER }),
    );
    assert_eq!(answer.status(), 201);
}

fn change_demo(memory: &Memory, change: impl FnOnce(&mut Value)) {
    change_stored(memory, "organization/demo", change);
}

#[track_caller]
fn is_refused_for(reason: &str, happens: impl FnOnce(&Memory)) {
    let memory = Memory::demo();
    let id = later(&memory, 10, 100);
    happens(&memory);
    pass(&memory, 15);
    ends(&memory, id, "refused", reason);
    let path = format!("/v1/calls/{id}/explain");
    let explained = request(&memory, "GET", &path, &Value::Null);
    let explained: Value = serde_json::from_slice(explained.body()).unwrap();
    let gates = explained["gates"].as_array().unwrap();
    let closed = gates.iter().filter(|gate| gate["passed"] == false).count();
    assert_eq!(closed, 1, "{reason}: {gates:?}");
    assert_eq!(asked(&memory), 0);
}

#[test]
fn a_number_was_suppressed() {
    is_refused_for("suppressed", suppress);
}

#[test]
fn its_country_is_not_called_any_more() {
    is_refused_for("number_not_allowed", |memory| {
        change_demo(memory, |demo| demo["allowed_countries"] = json!(["DE"]));
    });
}

#[test]
fn the_number_to_call_from_is_gone() {
    is_refused_for("caller_not_found", |memory| {
        change_demo(memory, |demo| {
            let numbers = demo["numbers"].as_array_mut().unwrap();
            numbers.retain(|number| number["number"] != "+15005550100");
        });
    });
}

#[test]
fn the_telephony_configuration_is_gone_or_another_account() {
    const GONE: &str = "telephony_configuration_not_found";
    is_refused_for(GONE, |memory| {
        change_demo(memory, |demo| {
            let all = demo["telephony"].as_array_mut().unwrap();
            all.retain(|telephony| telephony["id"] != 41);
        });
    });
    is_refused_for(GONE, |memory| {
        change_demo(memory, |demo| {
            demo["telephony"][0]["account_sid"] = json!("AC00000000000000000000000000000099");
        });
    });
}

#[test]
fn the_organization_is_inactive() {
    let memory = Memory::demo();
    let id = later(&memory, 10, 100);
    change_demo(&memory, |demo| demo["active"] = json!(false));
    pass(&memory, 15);
    // Its keys open nothing before it is active again.
    change_demo(&memory, |demo| demo["active"] = json!(true));
    ends(&memory, id, "refused", "organization_inactive");
    assert_eq!(asked(&memory), 0);
}

/// It is 09:30 UTC.
#[test]
fn the_calling_window_opens_later() {
    let memory = Memory::demo();
    let times = json!({ "earliest_at": in_s(&memory, 10), "timezone": "UTC" });
    let id = create(&memory, NUMBER, times);
    change_demo(&memory, |demo| {
        demo["calling_window"] = json!({ "start": "10:00", "end": "11:00" });
    });
    pass(&memory, 15);
    let waiting = call(&memory, id);
    assert_eq!(waiting["status"], "scheduled");
    assert!(
        waiting["timeline"]
            .to_string()
            .contains("outside_calling_window")
    );
    memory.pass_s(29 * 60);
    assert_eq!(asked(&memory), 0);
    pass(&memory, 60);
    assert_eq!(asked(&memory), 1);
}

#[test]
fn the_attempts_of_the_day_are_used_up() {
    let memory = Memory::demo();
    let waiting = later(&memory, 10, 2 * 86_400);
    change_demo(&memory, |demo| demo["attempts_per_day"] = json!(1));
    create(&memory, NUMBER, json!({}));
    status(&memory, 0, "busy");
    pass(&memory, 15);
    let call = call(&memory, waiting);
    assert_eq!(call["status"], "scheduled");
    assert!(call["timeline"].to_string().contains("attempt_cap"));
    assert_eq!(asked(&memory), 1);
    memory.pass_s(86_400 - 60);
    pass(&memory, 90);
    assert_eq!(asked(&memory), 2);
}

/// A call with attempts, whose first was busy.
fn first_was_busy(memory: &Memory) -> CallId {
    let retry = json!({ "retry": { "max_attempts": 3, "delay_s": 60 } });
    let first = create(memory, NUMBER, retry);
    status(memory, 0, "busy");
    first
}

#[test]
fn a_number_is_suppressed_between_two_attempts() {
    let memory = Memory::demo();
    let first = first_was_busy(&memory);
    suppress(&memory);
    pass(&memory, 70);
    let next = call(&memory, first)["next_call_id"].clone();
    let next = CallId::parse(next.as_str().unwrap()).unwrap();
    ends(&memory, next, "refused", "suppressed");
    assert_eq!(call(&memory, next)["is_last_attempt"], true);
    assert_eq!(asked(&memory), 1);
}

#[test]
fn a_number_is_suppressed_during_an_attempt() {
    let memory = Memory::demo();
    let retry = json!({ "retry": { "max_attempts": 3, "delay_s": 60 } });
    let first = create(&memory, NUMBER, retry);
    suppress(&memory);
    status(&memory, 0, "busy");
    let ended = call(&memory, first);
    assert_eq!(ended["next_call_id"], Value::Null);
    assert_eq!(ended["is_last_attempt"], true);
    pass(&memory, 70);
    assert_eq!(asked(&memory), 1);
}

const ACCOUNT: &str = "AC00000000000000000000000000000041";
const NEW_TOKEN: &str = "4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e";

/// The operator has Twilio replace the account's auth token, and imports the new one.
pub(super) fn rotate(memory: &Memory) {
    let mut tokens = memory.twilio.tokens.borrow_mut();
    tokens.insert(ACCOUNT.to_owned(), NEW_TOKEN.to_owned());
    drop(tokens);
    let line = json!({
        "type": "telephony_configuration", "id": 41, "organization": "demo", "name": "Main",
        "account_sid": ACCOUNT, "auth_token": NEW_TOKEN, "api_base_url": "http://127.0.0.1:8790",
    });
    import(memory, &line);
    memory.config.catch_up();
}

fn signed(memory: &Memory, nth: usize, word: &str, token: &str) {
    let path = path(memory, nth, "StatusCallback");
    super::later::callback_by(memory, nth, (&path, token), &[("CallStatus", word)]);
}

#[test]
fn the_auth_token_was_replaced_before_the_dial() {
    let memory = Memory::demo();
    let id = later(&memory, 10, 100);
    rotate(&memory);
    pass(&memory, 15);
    assert_eq!(call(&memory, id)["status"], "dialing");
    signed(&memory, 0, "ringing", NEW_TOKEN);
    signed(&memory, 0, "busy", NEW_TOKEN);
    ends(&memory, id, "busy", "busy");
}

#[test]
fn the_auth_token_was_replaced_between_two_attempts() {
    let memory = Memory::demo();
    first_was_busy(&memory);
    rotate(&memory);
    pass(&memory, 70);
    assert_eq!(memory.twilio.placed.borrow().len(), 2);
}

#[test]
fn the_auth_token_is_replaced_while_the_phone_rings() {
    let memory = Memory::demo();
    let id = create(&memory, NUMBER, json!({}));
    rotate(&memory);
    // A callback on its way was signed before.
    status(&memory, 0, "ringing");
    signed(&memory, 0, "ringing", NEW_TOKEN);
    // The last one is lost: Twilio is asked, with the token it knows.
    let (sid, _) = memory.twilio.placed.borrow()[0].clone();
    let standing = &memory.twilio.standing;
    standing.borrow_mut().insert(sid, "no-answer".to_owned());
    pass(&memory, 120);
    ends(&memory, id, "no_answer", "no_answer");
}

/// Whoever is on the phone is not left alone because somebody tidied up.
#[test]
fn the_telephony_configuration_goes_while_the_phone_rings() {
    let memory = Memory::demo();
    let id = create(&memory, NUMBER, json!({}));
    change_demo(&memory, |demo| demo["telephony"] = json!([]));
    status(&memory, 0, "ringing");
    assert_eq!(super::later::ask(&memory, id, "hangup"), 202);
    assert_eq!(memory.twilio.hung_up.borrow().len(), 1);
    status(&memory, 0, "canceled");
    ends(&memory, id, "canceled", "canceled");
}
