//! A mailbox that answers: a message is left on it once, by whichever callback tells of it.

use super::later::{call, callback, ends, pass, path, request, status};
use calls::id::CallId;
use functions::{Owner, Platform};
use serde_json::json;
use tests::memory::Memory;

fn answered() -> (Memory, CallId) {
    let memory = Memory::demo();
    let body =
        json!({ "agent_id": "messenger", "to": "+15005550013", "variables": { "name": "Jane" } });
    let answer = request(&memory, "POST", "/v1/calls", &body);
    assert_eq!(answer.status(), 201);
    let id = CallId::parse(answer.headers()["x-call-id"].to_str().unwrap()).unwrap();
    let (_, form) = memory.twilio.placed.borrow()[0].clone();
    assert_eq!(form["MachineDetection"], "DetectMessageEnd");
    status(&memory, 0, "in-progress");
    callback(&memory, 0, &path(&memory, 0, "Url"), &[]);
    (memory, id)
}

fn tells(memory: &Memory, by: &str) {
    let amd = path(memory, 0, "AsyncAmdStatusCallback");
    callback(memory, 0, &amd, &[("AnsweredBy", by)]);
}

/// Where Twilio was told to go on, as a path.
fn sent_on(memory: &Memory) -> Vec<String> {
    let paths = memory.twilio.sent_on.borrow();
    let paths = paths.iter().map(|(_, url)| {
        let url = url.split('#').next().unwrap();
        url.strip_prefix("https://gw.example").unwrap().to_owned()
    });
    paths.collect()
}

#[test]
fn a_message_is_left() {
    let (memory, id) = answered();
    tells(&memory, "machine_end_beep");
    // Twilio tells of it twice, and again with another callback: it is begun once.
    tells(&memory, "machine_end_beep");
    let status_path = path(&memory, 0, "StatusCallback");
    let again = [
        ("CallStatus", "in-progress"),
        ("AnsweredBy", "machine_end_beep"),
    ];
    callback(&memory, 0, &status_path, &again);
    let paths = sent_on(&memory);
    assert_eq!(paths.len(), 1);
    let said = callback(&memory, 0, &paths[0], &[]);
    assert!(
        said.contains("<Say>Hello Jane, please call the clinic.</Say>"),
        "{said}"
    );
    // A message may take longer than the last word of a conversation.
    pass(&memory, 30);
    assert!(memory.twilio.hung_up.borrow().is_empty());
    let left = paths[0].replace("/message", "/left");
    assert!(said.contains(&left), "{said}");
    assert!(callback(&memory, 0, &left, &[]).contains("<Hangup/>"));
    status(&memory, 0, "completed");
    ends(&memory, id, "voicemail", "message_left");
    let call = call(&memory, id);
    assert_eq!(call["message_left"], true);
    assert_eq!(call["answered_by"], "machine_end_beep");
}

#[test]
fn a_message_cut_short_was_not_left() {
    let (memory, id) = answered();
    tells(&memory, "machine_end_silence");
    callback(&memory, 0, &sent_on(&memory)[0], &[]);
    status(&memory, 0, "completed");
    ends(&memory, id, "voicemail", "message_cut_short");
    assert_eq!(call(&memory, id)["message_left"], false);
}

/// Twilio did not take the change: the callback is repeated, and with it the message.
#[test]
fn a_refused_message_is_tried_again() {
    let (memory, _) = answered();
    memory.twilio.stubborn.set(true);
    let amd = path(&memory, 0, "AsyncAmdStatusCallback");
    let tell = || {
        let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            callback(&memory, 0, &amd, &[("AnsweredBy", "machine_end_other")])
        }));
        refused.is_ok()
    };
    assert!(!tell());
    memory.twilio.stubborn.set(false);
    assert!(tell());
    assert_eq!(sent_on(&memory).len(), 1);
}

/// What nobody could tell is no machine; who can tell later counts.
#[test]
fn unknown_is_no_machine() {
    let (memory, id) = answered();
    tells(&memory, "unknown");
    assert_eq!(call(&memory, id)["answered_by"], "unknown");
    assert!(sent_on(&memory).is_empty());
    tells(&memory, "human");
    assert_eq!(call(&memory, id)["answered_by"], "human");
    assert!(sent_on(&memory).is_empty());
    assert!(memory.twilio.hung_up.borrow().is_empty());
}

/// A fax hears no message.
#[test]
fn a_fax_is_hung_up_on() {
    let (memory, id) = answered();
    tells(&memory, "fax");
    assert_eq!(memory.twilio.hung_up.borrow().len(), 1);
    status(&memory, 0, "completed");
    ends(&memory, id, "voicemail", "machine");
}

/// The host was killed after it had written down that it begins the message, and before Twilio heard of it.
#[test]
fn a_message_that_broke_off_is_begun_again() {
    let (memory, id) = answered();
    let begun = json!({ "begun_at": memory.now() }).to_string();
    let owner = Owner::Call(id);
    let swapped = memory.swap(&owner, "message", None, Some(&begun));
    assert_eq!(tests::finish(swapped), Ok(true));
    tells(&memory, "machine_end_beep");
    assert!(sent_on(&memory).is_empty(), "it may be under way");
    assert_eq!(call(&memory, id)["message_left"], false);
    pass(&memory, 13);
    let paths = sent_on(&memory);
    assert_eq!(paths.len(), 1);
    callback(&memory, 0, &paths[0], &[]);
    pass(&memory, 60);
    assert_eq!(sent_on(&memory).len(), 1, "Twilio came for it");
}

/// The callback that tells of its end is lost: Twilio is asked when it must be over.
#[test]
fn nobody_tells_that_a_message_is_over() {
    let (memory, id) = answered();
    // Past the wake-up armed with the record: the next is that of the longest conversation.
    pass(&memory, 45);
    tells(&memory, "machine_end_beep");
    callback(&memory, 0, &sent_on(&memory)[0], &[]);
    let (sid, _) = memory.twilio.placed.borrow()[0].clone();
    let mut standing = memory.twilio.standing.borrow_mut();
    standing.insert(sid, "completed".to_owned());
    drop(standing);
    pass(&memory, 121);
    ends(&memory, id, "voicemail", "message_cut_short");
}
