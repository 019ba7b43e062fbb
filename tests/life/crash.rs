//! Stores that fail and hosts that die at any step of a call, and what a call costs.

use super::{Placed, TOKEN, place_in, trigger};
use calls::voice::{EndedBy, Line, Speaker, VoiceEvent};
use http::Response;
use tests::driver::Driver;
use tests::memory::Memory;

/// The store fails at every point of a call's life in turn. What Twilio or the container was not told 2xx it tells
/// again; deadlines do the rest.
#[test]
fn the_store_fails_at_any_point() {
    for point in 0..14 {
        let memory = Memory::demo();
        let mut left: i32 = point;
        let mut step = |placed: &Placed, act: &dyn Fn() -> Response<Vec<u8>>| {
            if left == 0 {
                placed.memory.failing.set(1);
            }
            left = left.wrapping_sub(1);
            let mut answer = act();
            for _ in 0..3 {
                if answer.status() != 500 {
                    break;
                }
                answer = act();
            }
            assert!(
                answer.status().is_success(),
                "point {point}: {}",
                answer.status()
            );
        };
        memory.failing.set(usize::from(point == 13));
        let placed = place_in(memory, "+15005550006");
        if placed.answer.status() == 500 {
            assert!(
                placed.memory.twilio.asked.borrow().is_empty(),
                "dialled without a record"
            );
            continue;
        }
        let status = |word: &'static str| {
            let placed = &placed;
            move || placed.callback("StatusCallback", &[("CallStatus", word)], TOKEN)
        };
        step(&placed, &status("ringing"));
        step(&placed, &status("in-progress"));
        step(&placed, &|| placed.callback("Url", &[], TOKEN));
        step(&placed, &|| {
            placed.report(vec![VoiceEvent::MediaStarted {
                at: placed.now(),
                call_sid: placed.sid(),
            }])
        });
        step(&placed, &|| {
            let ended = VoiceEvent::Ended {
                at: placed.now(),
                by: EndedBy::Contact,
                reason: "contact_hung_up".to_owned(),
                transcript: vec![],
            };
            placed.report(vec![ended])
        });
        step(&placed, &status("completed"));
        placed.pass(60);
        placed.ends("completed", "contact_hung_up");
    }
}

/// The host dies after any number of steps of placing a call: what was stored by then must still come to its end.
#[test]
fn the_host_dies_while_placing() {
    for survives in 0..7 {
        let memory = Memory::demo();
        memory
            .twilio
            .standing
            .borrow_mut()
            .insert(format!("CA{:032x}", 1), "busy".to_owned());
        // Everything after the first `survives` operations on calls and seats fails until the host is back.
        memory.fail_after(survives);
        let answer = memory.put_to(trigger("+15005550006"));
        memory.heal();
        let placed = Placed { memory, answer };
        if placed.memory.calls.borrow().is_empty() {
            assert!(
                placed.memory.twilio.asked.borrow().is_empty(),
                "dialled without a record"
            );
            continue;
        }
        assert!(placed.memory.twilio.asked.borrow().len() <= 1);
        placed.pass(120);
        let call = placed.call();
        assert_eq!(call["status"], "ended", "survived {survives}: {call:#}");
        placed.holds_nothing();
    }
}

/// What a call costs in operations, printed for the benchmark: to the trigger's answer, and to the call's end.
#[test]
fn operations_per_call() {
    let memory = Memory::demo();
    let answer = memory.put_to(trigger("+15005550006"));
    let trigger = memory.operations.borrow().clone();
    let placed = Placed { memory, answer };
    for word in ["initiated", "ringing", "in-progress"] {
        placed.status(word);
    }
    placed.callback("Url", &[], TOKEN);
    placed.callback("AsyncAmdStatusCallback", &[("AnsweredBy", "human")], TOKEN);
    placed.report(vec![VoiceEvent::Ready { at: placed.now() }]);
    placed.media_started();
    for index in 0..6 {
        let line = Line {
            speaker: Speaker::Agent,
            text: "Hello".to_owned(),
            at: placed.now(),
        };
        placed.report(vec![VoiceEvent::Line { index, line }]);
    }
    placed.voice_ended(EndedBy::Contact, "contact_hung_up");
    placed.status("completed");
    placed.pass(60);
    let whole = placed.memory.operations.borrow().clone();
    for (what, operations) in [("trigger", &trigger), ("call", &whole)] {
        println!(
            "operations {what} config_reads={} call_requests={} seat_requests={} audio_requests={} wakes_asked={} sent={}",
            operations.config_reads,
            operations.call_requests,
            operations.seat_requests,
            operations.audio_requests,
            operations.wakes_asked,
            operations.sent,
        );
    }
    // One request to Twilio, whatever happens.
    assert_eq!(whole.sent, 1);
    assert_eq!(trigger.config_reads, 4);
}
