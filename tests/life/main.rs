//! Whole lives of calls, in-process: callbacks lost, repeated and forged, dials without an answer, stores that fail.
//! Every call must end, in the right outcome, with its seat free and its container stopped.

mod accounts;
mod analysis;
mod contacts;
mod crash;
mod crm;
mod crowd;
mod doubt;
mod fire_time;
mod imported;
mod keys;
mod later;
mod lists;
mod mailbox;
mod opt_out;
mod placed;
mod push;
mod queue;
mod reports;
mod retry;
mod seats;
mod sockets;
mod ticks;
mod unread;
mod words;

use calls::secret::Secret;
use calls::time::Time;
use calls::twilio::signature;
use calls::voice::{EndedBy, Report, SIGNATURE_HEADER, VoiceEvent, sign_report};
use http::Request;
use placed::{
    ACCOUNT, KEY, Placed, TOKEN, TRIGGER, answered, answered_in, place, place_in, trigger,
};
use serde_json::Value;
use tests::driver::Driver;
use tests::memory::Memory;

#[test]
fn a_conversation() {
    let placed = answered();
    assert_eq!(placed.answer.status(), 200);
    placed.memory.pass_s(12);
    placed.voice_ended(EndedBy::Contact, "contact_hung_up");
    placed.status("completed");
    placed.ends("completed", "contact_hung_up");
    let call = placed.call();
    assert_eq!(call["duration_s"], 12.0);
    assert_eq!(call["transcript"][0]["text"], "Hello");
    assert_eq!(placed.memory.twilio.asked.borrow().len(), 1);
}

#[test]
fn the_dial_says_everything_twilio_needs() {
    let placed = place("+15005550006");
    let form = placed.form();
    assert_eq!(form["To"], "+15005550006");
    assert_eq!(form["From"], "+15005550100");
    assert!(form["Url"].starts_with("https://gw.example/twiml/"));
    assert!(form["StatusCallback"].ends_with("#rc=3&rp=5xx,ct,rt"));
    assert_eq!(form["AsyncAmd"], "true");
    // Nothing about the call but an opaque token travels in a URL.
    assert!(!form["Url"].contains("clinic") && !form["Url"].contains("5550006"));
}

#[test]
fn not_connected() {
    for (word, outcome, reason) in [
        ("busy", "busy", "busy"),
        ("no-answer", "no_answer", "no_answer"),
        ("failed", "failed", "provider_failed"),
        ("canceled", "canceled", "canceled"),
    ] {
        let placed = place("+15005550010");
        placed.status("ringing");
        placed.status(word);
        placed.ends(outcome, reason);
    }
}

#[test]
fn a_machine_is_hung_up_on() {
    let placed = answered();
    let answer = placed.callback(
        "AsyncAmdStatusCallback",
        &[("AnsweredBy", "machine_start")],
        TOKEN,
    );
    assert_eq!(answer.status(), 204);
    assert_eq!(*placed.memory.twilio.hung_up.borrow(), [placed.sid()]);
    placed.voice_ended(EndedBy::Contact, "contact_hung_up");
    placed.status("completed");
    placed.ends("voicemail", "machine");
}

#[test]
fn callbacks_in_any_order_and_twice() {
    let placed = place("+15005550015");
    for word in [
        "completed",
        "ringing",
        "completed",
        "in-progress",
        "initiated",
        "ringing",
    ] {
        placed.status(word);
    }
    placed.media_started();
    placed.voice_ended(EndedBy::Agent, "agent_ended");
    placed.ends("completed", "agent_ended");
    placed.status("ringing");
    placed.ends("completed", "agent_ended");
}

#[test]
fn the_final_callback_never_comes() {
    let placed = answered();
    placed.voice_ended(EndedBy::Contact, "contact_hung_up");
    assert_eq!(placed.call()["status"], "in_progress");
    placed
        .memory
        .twilio
        .standing
        .borrow_mut()
        .insert(placed.sid(), "completed".to_owned());
    placed.pass(11);
    placed.ends("completed", "contact_hung_up");
}

#[test]
fn nothing_at_all_comes() {
    let placed = place("+15005550016");
    placed
        .memory
        .twilio
        .standing
        .borrow_mut()
        .insert(placed.sid(), "no-answer".to_owned());
    placed.pass(60);
    placed.ends("no_answer", "no_answer");
}

#[test]
fn twilio_cannot_be_asked() {
    let placed = answered();
    placed.voice_ended(EndedBy::Contact, "contact_hung_up");
    placed.memory.twilio.down.set(true);
    placed.pass(400);
    placed.ends("lost", "the provider could not be asked");
    // A late word does not take the call back from its end.
    placed.status("completed");
    placed.ends("lost", "the provider could not be asked");
}

#[test]
fn twilio_says_it_is_live_after_its_end() {
    let placed = answered();
    placed.voice_ended(EndedBy::Agent, "agent_ended");
    placed
        .memory
        .twilio
        .standing
        .borrow_mut()
        .insert(placed.sid(), "in-progress".to_owned());
    placed.pass(30);
    assert!(
        placed
            .memory
            .twilio
            .hung_up
            .borrow()
            .contains(&placed.sid()),
        "nobody hung up"
    );
    placed
        .memory
        .twilio
        .standing
        .borrow_mut()
        .insert(placed.sid(), "completed".to_owned());
    placed.pass(30);
    placed.ends("completed", "agent_ended");
}

#[test]
fn refusals_free_the_seat() {
    for (to, status, reason) in [
        ("+15005550001", 400, "provider_refused_21217"),
        ("+15005550002", 400, "provider_refused_21214"),
        ("+15005550019", 429, "provider_refused_20429"),
    ] {
        let placed = place(to);
        assert_eq!(placed.answer.status(), status, "{to}");
        placed.ends("failed", reason);
        assert!(
            placed.memory.started.borrow().is_empty(),
            "a container was started for a call that never rang"
        );
    }
}

#[test]
fn the_eleventh_call_finds_no_seat() {
    let memory = Memory::demo();
    for _ in 0..10 {
        assert_eq!(memory.put_to(trigger("+15005550006")).status(), 200);
    }
    let answer = memory.put_to(trigger("+15005550006"));
    assert_eq!(answer.status(), 429);
    assert_eq!(answer.headers()["x-error-code"], "no_capacity");
    assert!(answer.headers().contains_key("retry-after"));
    assert_eq!(memory.twilio.asked.borrow().len(), 10);
    assert_eq!(tests::finish(memory.seats_taken("demo")), Ok(10));
}

#[test]
fn forged_callbacks_change_nothing() {
    let placed = answered();
    let before = placed.memory.calls.borrow().clone();
    let completed = [("CallStatus", "completed")];
    let other_call = [
        ("CallStatus", "completed"),
        ("CallSid", "CAffffffffffffffffffffffffffffffff"),
    ];
    assert_eq!(
        placed
            .callback("StatusCallback", &completed, "wrong token")
            .status(),
        403
    );
    assert_eq!(
        placed
            .callback("StatusCallback", &other_call, TOKEN)
            .status(),
        403
    );
    let path = placed.path("StatusCallback");
    let unsigned = Request::post(path.as_str())
        .body(b"CallStatus=completed".to_vec())
        .unwrap();
    assert_eq!(placed.memory.put_to(unsigned).status(), 403);
    let forged = Request::post(path.replace(".demo.", ".evil."))
        .body(b"CallStatus=completed".to_vec())
        .unwrap();
    assert_eq!(placed.memory.put_to(forged).status(), 403);
    assert_eq!(*placed.memory.calls.borrow(), before);
}

#[test]
fn forged_reports_change_nothing() {
    let placed = answered();
    let before = placed.memory.calls.borrow().clone();
    let order = placed.memory.started.borrow()[0].clone();
    let lost = VoiceEvent::Lost {
        at: Time(1),
        cause: "forged".to_owned(),
    };
    let body = serde_json::to_vec(&Report {
        version: 1,
        call: order.call,
        events: vec![lost],
    })
    .unwrap();
    let path = order
        .report
        .url
        .strip_prefix("https://gw.example")
        .unwrap()
        .to_owned();
    let request = Request::post(path)
        .header(SIGNATURE_HEADER, sign_report("another key", &body))
        .body(body)
        .unwrap();
    assert_eq!(placed.memory.put_to(request).status(), 403);
    // The provider's token opens no reports.
    let token = placed
        .path("StatusCallback")
        .replace("/callbacks/status/", "");
    let request = Request::post(format!("/internal/report/{token}"))
        .body(b"{}".to_vec())
        .unwrap();
    assert_eq!(placed.memory.put_to(request).status(), 403);
    assert_eq!(*placed.memory.calls.borrow(), before);
}

#[test]
fn a_container_dies() {
    let placed = answered();
    tests::finish(functions::audio_lost(
        &placed.memory,
        placed.id(),
        "exit code 137",
    ))
    .unwrap();
    assert_eq!(placed.call()["status"], "in_progress");
    placed.status("completed");
    placed.ends("failed", "voice_lost");
}

#[test]
fn media_never_starts() {
    let placed = place("+15005550006");
    placed.status("in-progress");
    placed.status("completed");
    assert_eq!(placed.call()["status"], "in_progress");
    placed.pass(11);
    placed.ends("failed", "media_never_started");
}

#[test]
fn the_media_socket_opens_for_twilio_alone() {
    let placed = answered();
    let path = placed.path("Url").replace("/twiml/", "/media/");
    let url = format!("wss://gw.example{path}");
    let upgrade = |signature: &str| {
        let request = Request::get(path.as_str())
            .header("upgrade", "websocket")
            .header("x-twilio-signature", signature);
        placed.memory.put_to(request.body(Vec::new()).unwrap())
    };
    assert_eq!(
        upgrade(&signature::sign(&Secret::new(TOKEN), &url, b"")).body(),
        b"the media socket"
    );
    assert_eq!(upgrade("AAAA").status(), 403);
}

fn hang_up(placed: &Placed) -> u16 {
    let request =
        Request::post(format!("/v1/calls/{}/hangup", placed.id())).header("x-api-key", KEY);
    placed
        .memory
        .put_to(request.body(Vec::new()).unwrap())
        .status()
        .as_u16()
}

#[test]
fn a_call_is_hung_up_by_request() {
    let placed = answered();
    assert_eq!(hang_up(&placed), 202);
    assert_eq!(*placed.memory.twilio.hung_up.borrow(), [placed.sid()]);
    // The container sees its socket close and takes it for the contact's doing.
    placed.memory.pass_s(1);
    placed.voice_ended(EndedBy::Contact, "contact_hung_up");
    placed.status("completed");
    placed.ends("completed", "hangup_requested");
    // Asked again, it stays as it is.
    assert_eq!(hang_up(&placed), 200);
    placed.ends("completed", "hangup_requested");
}

#[test]
fn a_call_is_hung_up_before_its_sid_is_known() {
    let placed = place("+15005550018");
    assert_eq!(hang_up(&placed), 202);
    assert!(placed.memory.twilio.hung_up.borrow().is_empty());
    placed.status("ringing");
    assert_eq!(*placed.memory.twilio.hung_up.borrow(), [placed.sid()]);
    placed.status("canceled");
    placed.ends("canceled", "canceled");
}
