//! Calls that Twilio accepts and keeps in its queue, calls that ring, and voices lost before anybody answers.

use super::later::{self, asked};
use super::placed::{Placed, TOKEN, place, place_in};
use calls::voice::{EndedBy, VoiceEvent};
use http::Request;
use serde_json::json;
use tests::driver::Driver;
use tests::memory::Memory;

fn hung_up(placed: &Placed) -> usize {
    placed.memory.twilio.hung_up.borrow().len()
}

/// What Twilio says from now on when it is asked.
fn stands(placed: &Placed, word: &str) {
    let mut standing = placed.memory.twilio.standing.borrow_mut();
    standing.insert(placed.sid(), word.to_owned());
}

fn hang_up(placed: &Placed) -> u16 {
    let path = format!("/v1/calls/{}/hangup", placed.id());
    let request = Request::post(path).header("x-api-key", super::KEY);
    let answer = placed.memory.put_to(request.body(Vec::new()).unwrap());
    answer.status().as_u16()
}

/// Twilio fetches the call's TwiML.
fn twiml(placed: &Placed) -> String {
    let answer = placed.callback("Url", &[("CallStatus", "in-progress")], TOKEN);
    String::from_utf8_lossy(answer.body()).into_owned()
}

#[track_caller]
fn connects(placed: &Placed) {
    let twiml = twiml(placed);
    assert!(twiml.contains("<Stream"), "{twiml}");
}

/// The call's voice is gone, as its host tells.
fn lose_voice(placed: &Placed) {
    placed.memory.running.borrow_mut().remove(&placed.id());
    let lost = functions::audio_lost(&placed.memory, placed.id(), "exit code 137");
    tests::finish(lost).unwrap();
}

fn talks(placed: &Placed) {
    placed.media_started();
    placed.memory.pass_s(5);
    placed.voice_ended(EndedBy::Contact, "contact_hung_up");
    placed.status("completed");
    placed.ends("completed", "contact_hung_up");
}

/// An account begins one call a second. Ten that are accepted at once and leave the queue one after the other, minutes
/// later, all ring and are all talked to.
#[test]
fn a_queue_of_calls_is_waited_for() {
    let memory = Memory::demo();
    let to = |nth: usize| format!("+150055502{nth:02}");
    let ids: Vec<_> = (0..10)
        .map(|nth| later::create(&memory, &to(nth), json!({})))
        .collect();
    for nth in 0..10 {
        later::pass(&memory, 120);
        for word in ["initiated", "ringing"] {
            later::status(&memory, nth, word);
        }
        later::pass(&memory, 24);
        later::status(&memory, nth, "no-answer");
    }
    assert!(memory.twilio.hung_up.borrow().is_empty());
    for id in ids {
        assert_eq!(later::call(&memory, id)["outcome"], "no_answer");
    }
    assert_eq!(asked(&memory), 10);
    assert_eq!(tests::finish(memory.seats_taken("demo")), Ok(0));
}

#[test]
fn a_call_from_the_queue_is_talked_to() {
    let placed = place("+15005550006");
    placed.pass(1_500);
    assert_eq!(placed.call()["status"], "dialing");
    // Neither seat nor voice ran out meanwhile, and Twilio was not asked all the time.
    let until = placed.memory.seats.borrow()["demo"].leases[0].until;
    assert!(until >= placed.now().plus_s(120 + 2_100));
    assert!(placed.memory.started.borrow()[0].limits.connect_s > 3_600);
    assert!(placed.memory.operations.borrow().sent < 30);
    placed.status("initiated");
    placed.pass(5);
    placed.status("ringing");
    placed.pass(24);
    assert_eq!(placed.call()["status"], "ringing");
    assert_eq!(hung_up(&placed), 0);
    placed.status("in-progress");
    connects(&placed);
    talks(&placed);
}

/// What comes of a call in the queue is found out also when Twilio does not tell.
#[test]
fn nobody_tells_that_a_call_left_the_queue() {
    let placed = place("+15005550006");
    placed.pass(300);
    stands(&placed, "ringing");
    placed.pass(60);
    assert_eq!(placed.call()["status"], "ringing");
    assert_eq!(hung_up(&placed), 0);
    stands(&placed, "no-answer");
    placed.pass(60);
    placed.ends("no_answer", "no_answer");
}

/// Twilio cannot be asked for a while: a call known to be in its queue is not given up for that.
#[test]
fn a_queued_call_outlasts_a_silence() {
    let placed = place("+15005550006");
    placed.pass(600);
    placed.memory.twilio.down.set(true);
    placed.pass(600);
    placed.memory.twilio.down.set(false);
    stands(&placed, "busy");
    placed.pass(60);
    placed.ends("busy", "busy");
}

#[test]
fn an_hour_in_the_queue_is_the_longest() {
    let placed = place("+15005550006");
    placed.pass(3_500);
    assert_eq!(hung_up(&placed), 0);
    placed.pass(160);
    assert!(hung_up(&placed) > 0);
    placed.status("canceled");
    placed.ends("canceled", "canceled");
}

/// A phone that rings beyond its time, whatever Twilio does about it, is hung up.
#[test]
fn it_rings_as_long_as_it_may() {
    let placed = place("+15005550006");
    placed.memory.pass_s(30);
    placed.status("ringing");
    stands(&placed, "ringing");
    placed.pass(39);
    assert_eq!(hung_up(&placed), 0);
    placed.pass(20);
    assert!(hung_up(&placed) > 0);
}

/// Twilio says that somebody has just answered: that is news, and no reason to hang up.
#[test]
fn an_answer_that_is_asked_for_is_not_cut() {
    let placed = place("+15005550006");
    stands(&placed, "in-progress");
    placed.pass(60);
    assert_eq!(hung_up(&placed), 0);
    connects(&placed);
    talks(&placed);
}

#[test]
fn another_voice_takes_the_place_of_one_lost_before_the_answer() {
    let placed = place("+15005550006");
    placed.status("ringing");
    lose_voice(&placed);
    placed.pass(20);
    assert_eq!(hung_up(&placed), 0, "a ringing phone was cut off");
    placed.status("in-progress");
    connects(&placed);
    assert_eq!(placed.memory.started.borrow().len(), 2);
    // Its conversation is as long as any.
    placed.media_started();
    placed.pass(60);
    assert_eq!(hung_up(&placed), 0);
    // Its last word is waited for like any other's.
    placed.status("completed");
    assert_eq!(placed.call()["status"], "in_progress");
    placed.voice_ended(EndedBy::Contact, "contact_hung_up");
    placed.ends("completed", "contact_hung_up");
}

#[test]
fn the_other_voice_is_lost_too() {
    let placed = place("+15005550006");
    placed.status("ringing");
    lose_voice(&placed);
    placed.memory.pass_s(1);
    placed.status("in-progress");
    connects(&placed);
    placed.memory.pass_s(1);
    placed.media_started();
    lose_voice(&placed);
    placed.status("completed");
    placed.pass(11);
    placed.ends("failed", "voice_lost");
}

#[test]
fn who_answers_without_a_voice_hears_an_apology() {
    let placed = place("+15005550006");
    placed.status("ringing");
    lose_voice(&placed);
    placed.memory.voiceless.set(true);
    placed.status("in-progress");
    let twiml = twiml(&placed);
    assert!(twiml.contains("<Say>We are sorry"), "{twiml}");
    placed.status("completed");
    placed.ends("failed", "voice_lost");
}

/// A voice that was stopped while the phone rang had no conversation to end.
#[test]
fn a_voice_stopped_before_the_answer_is_lost() {
    let placed = place("+15005550006");
    placed.status("ringing");
    placed.memory.running.borrow_mut().clear();
    let stopped = VoiceEvent::Ended {
        at: placed.now(),
        by: EndedBy::Gateway,
        reason: "stopped".to_owned(),
        transcript: Vec::new(),
    };
    assert_eq!(placed.report(vec![stopped]).status(), 204);
    placed.memory.pass_s(1);
    placed.status("in-progress");
    connects(&placed);
    assert_eq!(placed.memory.started.borrow().len(), 2);
    talks(&placed);
    assert_eq!(placed.call()["transcript"][0]["text"], "Hello");
}

#[test]
fn a_cancelled_call_whose_voice_was_lost() {
    for (asked, outcome, reason) in [
        (false, "failed", "voice_lost"),
        (true, "canceled", "canceled"),
    ] {
        let placed = place("+15005550006");
        placed.status("ringing");
        lose_voice(&placed);
        if asked {
            assert_eq!(hang_up(&placed), 202);
        }
        placed.status("canceled");
        placed.ends(outcome, reason);
    }
}

/// Asked before its SID was known, and found only by asking Twilio: it is hung up then, though it may ring on.
#[test]
fn a_call_that_is_found_is_hung_up_as_asked() {
    let placed = place("+15005550018");
    assert_eq!(hang_up(&placed), 202);
    stands(&placed, "ringing");
    placed.pass(15);
    assert_eq!(hung_up(&placed), 1);
}

/// Twilio did not take the hang-up, and somebody answers: nobody talks to them.
#[test]
fn who_answers_after_a_hangup_hears_nothing() {
    let placed = place_in(Memory::demo(), "+15005550006");
    placed.memory.twilio.stubborn.set(true);
    assert_eq!(hang_up(&placed), 500);
    let twiml = twiml(&placed);
    assert!(twiml.contains("<Hangup/>"), "{twiml}");
}
