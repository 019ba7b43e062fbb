//! Dials whose outcome is unclear, and requests sent twice.

use super::{KEY, Placed, place, trigger};
use calls::voice::EndedBy;
use http::Request;
use serde_json::Value;
use tests::driver::Driver;
use tests::memory::Memory;

#[test]
fn an_unclear_dial_is_adopted_by_its_first_callback() {
    for to in ["+15005550017", "+15005550018"] {
        let placed = place(to);
        assert_eq!(placed.answer.status(), 200, "{to}");
        placed.status("ringing");
        assert_eq!(placed.call()["provider_sid"], placed.sid());
        placed.status("in-progress");
        placed.media_started();
        placed.voice_ended(EndedBy::Contact, "contact_hung_up");
        placed.status("completed");
        placed.ends("completed", "contact_hung_up");
        assert_eq!(
            placed.memory.twilio.asked.borrow().len(),
            1,
            "{to} was dialled again"
        );
    }
}

#[test]
fn an_unclear_dial_is_found_by_asking() {
    let placed = place("+15005550018");
    placed
        .memory
        .twilio
        .standing
        .borrow_mut()
        .insert(placed.sid(), "busy".to_owned());
    placed.pass(60);
    placed.ends("busy", "busy");
    assert_eq!(placed.memory.twilio.asked.borrow().len(), 1);
}

/// A list that does not read says nothing of the call, least of all that there is none.
#[test]
fn an_unclear_dial_is_looked_for_until_a_list_reads() {
    let placed = place("+15005550018");
    let twilio = &placed.memory.twilio;
    twilio.garbled.set(true);
    let busy = (placed.sid(), "busy".to_owned());
    twilio.standing.borrow_mut().extend([busy]);
    placed.pass(100);
    assert_eq!(placed.call()["outcome"], serde_json::Value::Null);
    twilio.garbled.set(false);
    placed.pass(30);
    placed.ends("busy", "busy");
}

#[test]
fn an_unclear_dial_that_never_was_ends_as_lost() {
    let placed = place("+15005550018");
    placed.memory.twilio.placed.borrow_mut().clear();
    placed.pass(100);
    placed.ends("lost", "the provider knows of no such call");
    assert_eq!(placed.memory.twilio.asked.borrow().len(), 1);
}

/// Given up on, it rings after all: nobody is left holding a phone.
#[test]
fn a_lost_call_that_rings_after_all_is_hung_up() {
    let placed = place("+15005550018");
    placed.memory.twilio.forgetful.set(true);
    placed.pass(100);
    placed.ends("lost", "the provider knows of no such call");
    placed.status("ringing");
    assert_eq!(*placed.memory.twilio.hung_up.borrow(), [placed.sid()]);
    placed.status("canceled");
    placed.ends("lost", "the provider knows of no such call");
    assert_eq!(placed.memory.twilio.hung_up.borrow().len(), 1);
    assert_eq!(placed.memory.twilio.asked.borrow().len(), 1);
}

/// An unclear dial that rings for a while is left to ring.
#[test]
fn an_adopted_call_rings_as_long_as_any() {
    let placed = place("+15005550018");
    placed.memory.pass_s(2);
    placed.status("ringing");
    placed.pass(20);
    assert!(placed.memory.twilio.hung_up.borrow().is_empty());
    assert_eq!(placed.call()["status"], "ringing");
    placed.status("no-answer");
    placed.ends("no_answer", "no_answer");
}

pub(super) fn keyed(to: &str, key: &str) -> Request<Vec<u8>> {
    let mut request = trigger(to);
    request
        .headers_mut()
        .insert("idempotency-key", key.parse().unwrap());
    request
}

/// A thousand requests with ten keys place ten calls.
#[test]
fn one_call_a_key() {
    let memory = Memory::demo();
    for _ in 0..100 {
        for key in 0..10 {
            let answer = memory.put_to(keyed("+15005550006", &format!("key {key}")));
            assert_eq!(answer.status(), 200);
        }
    }
    assert_eq!(memory.twilio.asked.borrow().len(), 10);
    assert_eq!(tests::finish(memory.seats_taken("demo")), Ok(10));
}

/// An unclear dial is not repeated for a retry; once Twilio has spoken, the retry gets the first answer.
#[test]
fn a_retry_after_an_unclear_dial() {
    let memory = Memory::demo();
    assert_eq!(memory.put_to(keyed("+15005550018", "k")).status(), 200);
    let answer = memory.put_to(keyed("+15005550018", "k"));
    assert_eq!(answer.status(), 409);
    assert_eq!(
        answer.headers()["x-error-code"],
        "idempotency_state_unknown"
    );
    let placed = Placed { memory, answer };
    assert_eq!(
        placed.answer.headers()["x-call-id"],
        placed.id().to_string().as_str()
    );
    placed.status("ringing");
    let answer = placed.memory.put_to(keyed("+15005550018", "k"));
    assert_eq!(
        (
            answer.status().as_u16(),
            &answer.headers()["idempotent-replayed"]
        ),
        (200, &"true".parse().unwrap())
    );
    assert_eq!(placed.memory.twilio.asked.borrow().len(), 1);
}

/// Once the call is lost nothing is left to wait for: the retry is told what became of it, and calls nobody.
#[test]
fn a_retry_after_a_lost_call() {
    let memory = Memory::demo();
    memory.twilio.forgetful.set(true);
    assert_eq!(memory.put_to(keyed("+15005550018", "k")).status(), 200);
    let retried = memory.put_to(keyed("+15005550018", "k"));
    assert_eq!(retried.headers()["retry-after"], "30");
    for _ in 0..100 {
        memory.pass_s(1);
        memory.wake_due();
    }
    let retried = memory.put_to(keyed("+15005550018", "k"));
    let headers = retried.headers();
    assert_eq!(headers["x-error-code"], "idempotency_state_unknown");
    assert_eq!(
        (retried.status().as_u16(), headers.get("retry-after")),
        (409, None)
    );
    let call = headers["x-call-id"].to_str().unwrap();
    let said: Value = serde_json::from_slice(retried.body()).unwrap();
    let expected = format!(
        "The outcome of the first of these requests could not be determined: call {call} has ended as lost \
         (the provider knows of no such call). A request with a new idempotency key calls again"
    );
    assert_eq!(said["detail"], expected.as_str());
    assert_eq!(
        memory.put_to(keyed("+15005550018", "another")).status(),
        200
    );
    assert_eq!(memory.twilio.asked.borrow().len(), 2);
}

/// What Twilio answered could not be stored. The phone rings, so its caller is told that it does, and would else place
/// it again; a retry with the same key is told to wait, then to look, until a callback brings the SID.
#[test]
fn a_retry_after_a_crash() {
    let memory = Memory::demo();
    memory.fail_after(3);
    let answer = memory.put_to(keyed("+15005550006", "k"));
    assert_eq!(answer.status(), 200);
    assert!(answer.headers().contains_key("x-call-id"));
    memory.heal();
    let code = |memory: &Memory| {
        let answer = memory.put_to(keyed("+15005550006", "k"));
        (
            answer.status().as_u16(),
            answer.headers()["x-error-code"]
                .to_str()
                .unwrap()
                .to_owned(),
        )
    };
    assert_eq!(code(&memory), (409, "idempotency_in_progress".to_owned()));
    memory.pass_s(45);
    assert_eq!(code(&memory), (409, "idempotency_state_unknown".to_owned()));
    assert_eq!(memory.twilio.asked.borrow().len(), 1);
}

/// Of two calls to one number, one rings and one was never placed: the second is not taken for the first.
#[test]
fn an_unclear_dial_takes_no_other_calls_sid() {
    let memory = Memory::demo();
    assert_eq!(memory.put_to(trigger("+15005550018")).status(), 200);
    let lost = *memory.calls.borrow().keys().next().unwrap();
    // Twilio never saw that one, but it has another of the same two numbers.
    memory.twilio.placed.borrow_mut().clear();
    memory.pass_s(1);
    assert_eq!(memory.put_to(trigger("+15005550006")).status(), 200);
    memory.twilio.placed.borrow_mut()[0]
        .1
        .insert("To".to_owned(), "+15005550018".to_owned());
    for _ in 0..60 {
        memory.pass_s(1);
        memory.wake_due();
    }
    let request = Request::get(format!("/v1/calls/{lost}"))
        .header("x-api-key", KEY)
        .body(Vec::new())
        .unwrap();
    let call: Value = serde_json::from_slice(memory.put_to(request).body()).unwrap();
    assert_eq!(
        (call["outcome"].as_str(), call["provider_sid"].as_str()),
        (Some("lost"), None),
        "{call:#}"
    );
}

/// Two dials of one number were unclear and one call rings: only one of the two takes it for its own.
#[test]
fn two_unclear_dials_share_no_sid() {
    let memory = Memory::demo();
    for _ in 0..2 {
        assert_eq!(memory.put_to(trigger("+15005550018")).status(), 200);
    }
    let (sid, _) = memory.twilio.placed.borrow_mut().remove(1);
    let rings = memory.twilio.placed.borrow()[0].0.clone();
    assert_ne!(sid, rings);
    for _ in 0..120 {
        memory.pass_s(1);
        memory.wake_due();
    }
    let ids: Vec<_> = memory.calls.borrow().keys().copied().collect();
    let sids: Vec<Value> = ids
        .iter()
        .map(|id| {
            let request = Request::get(format!("/v1/calls/{id}"))
                .header("x-api-key", KEY)
                .body(Vec::new())
                .unwrap();
            let call: Value = serde_json::from_slice(memory.put_to(request).body()).unwrap();
            call["provider_sid"].clone()
        })
        .collect();
    let took = sids.iter().filter(|sid| **sid == rings.as_str()).count();
    assert_eq!(took, 1, "{sids:?}");
}

fn burki(to: &str) -> Request<Vec<u8>> {
    Request::post("/calls/initiate")
        .header("authorization", format!("Bearer {KEY}"))
        .body(format!(r#"{{"assistant_id":123,"to_phone_number":"{to}"}}"#).into_bytes())
        .unwrap()
}

/// burki must name a SID: found in time it is answered, else the answer says where to look.
#[test]
fn an_unclear_dial_that_must_name_its_sid() {
    let memory = Memory::demo();
    let answer = memory.put_to(burki("+15005550018"));
    assert_eq!(answer.status(), 200);
    let said: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(
        said["call_sid"],
        memory.twilio.placed.borrow()[0].0.as_str()
    );

    let memory = Memory::demo();
    memory.twilio.forgetful.set(true);
    let answer = memory.put_to(burki("+15005550018"));
    assert_eq!(answer.status(), 504);
    assert_eq!(answer.headers()["x-error-code"], "dial_unknown");
    assert!(answer.headers().contains_key("x-call-id"));
    assert_eq!(memory.twilio.asked.borrow().len(), 1);
}
