//! Stores that fail, hosts that die and wakers that meet at any step of a call, and what a call costs.

use super::later::{asked, create, ends, pass, status};
use super::{Placed, TOKEN, place_in, trigger};
use calls::voice::{EndedBy, Line, Speaker, VoiceEvent};
use functions::Platform;
use http::Response;
use serde_json::json;
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

/// What Twilio and the container tell of an answered call, in order; what is not answered with success is told again as
/// often as they would.
fn live(placed: &Placed) {
    let tell = |act: &dyn Fn() -> Response<Vec<u8>>| {
        let _ = (0..3).any(|_| act().status().is_success());
    };
    let status = |word: &'static str| {
        tell(&|| placed.callback("StatusCallback", &[("CallStatus", word)], TOKEN));
    };
    status("ringing");
    status("in-progress");
    tell(&|| placed.callback("Url", &[], TOKEN));
    tell(&|| placed.callback("AsyncAmdStatusCallback", &[("AnsweredBy", "human")], TOKEN));
    let (at, call_sid) = (placed.now(), placed.sid());
    let by = EndedBy::Contact;
    let (reason, transcript) = ("contact_hung_up".to_owned(), vec![]);
    let started = VoiceEvent::MediaStarted { at, call_sid };
    let ended = VoiceEvent::Ended {
        at,
        by,
        reason,
        transcript,
    };
    // A container that was never started says nothing.
    if !placed.memory.started.borrow().is_empty() {
        tell(&|| placed.report(vec![started.clone()]));
        tell(&|| placed.report(vec![ended.clone()]));
    }
    let mut standing = placed.memory.twilio.standing.borrow_mut();
    standing.insert(placed.sid(), "completed".to_owned());
    drop(standing);
    status("completed");
}

/// Each write of a call's whole life fails once, or is the last that the host does before it dies: nothing is dialled
/// twice or without a record, the call ends, and it holds nothing.
#[test]
fn any_write_fails() {
    for once in [true, false] {
        let fails = |memory: &Memory, after: usize| match once {
            true => memory.fail_once_after(after),
            false => memory.fail_after(after),
        };
        let mut after = 0;
        loop {
            let memory = Memory::demo();
            fails(&memory, after);
            let answer = memory.put_to(trigger("+15005550006"));
            let placed = Placed { memory, answer };
            let dialled = placed.memory.twilio.asked.borrow().len();
            assert!(dialled <= 1, "write {after}: dialled {dialled} times");
            if dialled == 1 {
                live(&placed);
            }
            let struck = once && placed.memory.failing.get() == 0;
            let dead = !once && placed.memory.failing.get() < usize::MAX;
            placed.memory.heal();
            placed.pass(400);
            assert_eq!(placed.memory.twilio.asked.borrow().len(), dialled);
            if placed.memory.calls.borrow().is_empty() {
                assert_eq!(dialled, 0, "dialled without a record");
            } else {
                let call = placed.call();
                assert_eq!(call["status"], "ended", "write {after}: {call:#}");
                placed.holds_nothing();
            }
            if !struck && !dead {
                break;
            }
            after += 1;
        }
        assert!(after > 10, "only {after} writes were found");
    }
}

/// Another waker comes between any two steps of a scheduled call's life and does all it finds to do: the call is dialled
/// once, keeps its seat while it is live, and is reported once.
#[test]
fn two_wakers_at_any_step() {
    let mut step = 0;
    loop {
        let memory = Memory::demo();
        let times = json!({
            "earliest_at": memory.now().plus_s(5).rfc3339(),
            "latest_at": memory.now().plus_s(100).rfc3339(),
            "callback_url": "https://crm.example/done",
        });
        let id = create(&memory, "+15005550010", times);
        memory.pass_s(5);
        memory.rival.set(Some((step, id)));
        pass(&memory, 1);
        assert_eq!(asked(&memory), 1, "step {step}");
        let taken = tests::finish(memory.seats_taken("demo"));
        assert_eq!(taken, Ok(1), "step {step}: a live call without a seat");
        status(&memory, 0, "busy");
        pass(&memory, 90);
        ends(&memory, id, "busy", "busy");
        assert_eq!(asked(&memory), 1, "step {step}");
        assert_eq!(memory.outside.seen.borrow().len(), 1, "step {step}");
        if memory.rival.take().is_some() {
            break;
        }
        step += 1;
    }
    assert!(step > 10, "only {step} steps were found");
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
        let objects = operations.call_requests
            + operations.document_requests
            + operations.seat_requests
            + operations.audio_requests
            + operations.wakes_asked
            - operations.own;
        println!(
            "operations {what} requests={} kv_reads={} kv_writes={} kv_lists={} object_requests={objects} alarms={} rows_written={} sent={}",
            operations.requests,
            operations.config_reads,
            operations.config_writes,
            operations.config_lists,
            operations.alarms,
            operations.rows_written,
            operations.sent,
        );
    }
    // One request to Twilio, whatever happens.
    assert_eq!(whole.sent, 1);
    assert_eq!(trigger.config_reads, 4);
}
