//! Attempts after one that reached nobody: one budget, each a call of its own, planned once whoever dies.

use super::later::{ask, asked, call, callback, create, ends, pass, path, status};
use calls::id::CallId;
use functions::Platform;
use serde_json::{Value, json};
use tests::memory::Memory;

const BUSY: &str = "+15005550010";

fn retried(attempts: u32, on: &[&str]) -> (Memory, CallId) {
    let memory = Memory::demo();
    let retry = json!({ "max_attempts": attempts, "delay_s": 60, "on": on });
    let id = create(&memory, BUSY, json!({ "retry": retry }));
    (memory, id)
}

fn next(memory: &Memory, id: CallId) -> CallId {
    let call = call(memory, id);
    CallId::parse(
        call["next_call_id"]
            .as_str()
            .unwrap_or_else(|| panic!("{call:#}")),
    )
    .unwrap()
}

fn words(call: &Value) -> (u64, Option<bool>) {
    (
        call["attempt"].as_u64().unwrap(),
        call["is_last_attempt"].as_bool(),
    )
}

/// Busy, then unanswered, then busy: three attempts, whatever the causes, and no fourth.
#[test]
fn one_budget_whatever_the_causes() {
    let (memory, first) = retried(3, &["busy", "no_answer"]);
    assert_eq!(words(&call(&memory, first)), (1, None));
    let mut id = first;
    for (nth, word) in ["busy", "no-answer", "busy"].into_iter().enumerate() {
        assert_eq!(asked(&memory), nth + 1);
        status(&memory, nth, "ringing");
        status(&memory, nth, word);
        // Whoever reads the end reads whether an attempt follows.
        assert_eq!(words(&call(&memory, id)).1, Some(nth == 2));
        pass(&memory, 2);
        let ended = call(&memory, id);
        assert_eq!(words(&ended), (nth as u64 + 1, Some(nth == 2)), "{ended:#}");
        assert_eq!(ended["first_call_id"], first.to_string());
        assert_eq!(ended["max_attempts"], 3);
        if nth < 2 {
            assert!(
                !ended["next_attempt_at"].is_null(),
                "it says when: {ended:#}"
            );
            id = next(&memory, id);
            assert_eq!(call(&memory, id)["status"], "scheduled");
            pass(&memory, 60);
        }
    }
    pass(&memory, 3_600);
    assert_eq!(asked(&memory), 3);
    assert_eq!(memory.calls.borrow().len(), 3);
    for id in memory.calls.borrow().keys() {
        assert_eq!(
            call(&memory, *id)["created_through"],
            "ringdown",
            "each is a call of its own"
        );
    }
    ends(&memory, id, "busy", "busy");
}

#[test]
fn an_attempt_that_reaches_somebody_is_the_last() {
    let (memory, first) = retried(5, &["busy"]);
    status(&memory, 0, "busy");
    pass(&memory, 65);
    let second = next(&memory, first);
    status(&memory, 1, "in-progress");
    status(&memory, 1, "completed");
    pass(&memory, 30);
    assert_eq!(words(&call(&memory, second)), (2, Some(true)));
    pass(&memory, 600);
    assert_eq!(asked(&memory), 2);
}

#[test]
fn only_what_was_asked_for_is_tried_again() {
    let (memory, id) = retried(5, &["busy"]);
    status(&memory, 0, "no-answer");
    pass(&memory, 600);
    ends(&memory, id, "no_answer", "no_answer");
    assert_eq!(words(&call(&memory, id)), (1, Some(true)));
    assert_eq!(asked(&memory), 1);
}

/// A machine answered and was hung up on; the agent is to try again later.
#[test]
fn a_mailbox_is_tried_again_if_asked_for() {
    let (memory, id) = retried(2, &["voicemail"]);
    status(&memory, 0, "in-progress");
    let amd = path(&memory, 0, "AsyncAmdStatusCallback");
    callback(&memory, 0, &amd, &[("AnsweredBy", "machine_start")]);
    status(&memory, 0, "completed");
    pass(&memory, 62);
    assert_eq!(call(&memory, id)["outcome"], "voicemail");
    assert_eq!(asked(&memory), 2);
}

#[test]
fn cancelling_an_attempt_ends_the_chain() {
    let (memory, first) = retried(3, &["busy"]);
    assert_eq!(ask(&memory, first, "cancel"), 409);
    status(&memory, 0, "busy");
    pass(&memory, 2);
    let second = next(&memory, first);
    // By the id of the one that has ended, as a program knows it.
    assert_eq!(ask(&memory, first, "cancel"), 200);
    assert_eq!(ask(&memory, first, "cancel"), 200);
    assert_eq!(ask(&memory, second, "cancel"), 200);
    pass(&memory, 600);
    ends(&memory, second, "canceled", "canceled_before_dial");
    assert_eq!(words(&call(&memory, second)), (2, Some(true)));
    assert_eq!(asked(&memory), 1);
}

#[test]
fn hanging_up_ends_the_chain() {
    let (memory, first) = retried(3, &["busy", "no_answer"]);
    status(&memory, 0, "ringing");
    assert_eq!(ask(&memory, first, "hangup"), 202);
    // Twilio's word for it may be any.
    status(&memory, 0, "no-answer");
    pass(&memory, 600);
    assert_eq!(words(&call(&memory, first)), (1, Some(true)));
    assert_eq!(asked(&memory), 1);
}

/// Cancelled between the end of an attempt and the planning of the next, which did not work at once.
#[test]
fn cancelling_races_with_planning() {
    let (memory, first) = retried(3, &["busy"]);
    // The callback, a wake-up, the end, the seat and the voice are written; the attempt is not entered.
    memory.fail_once_after(5);
    status(&memory, 0, "busy");
    assert_eq!(words(&call(&memory, first)), (1, None));
    assert_eq!(ask(&memory, first, "cancel"), 200);
    pass(&memory, 600);
    assert_eq!(asked(&memory), 1);
    assert_eq!(words(&call(&memory, first)), (1, Some(true)));
    assert_eq!(memory.calls.borrow().len(), 1);
}

/// The next attempt waits until the agent is open, and there is none if that is too late.
#[test]
fn the_next_attempt_keeps_the_agents_hours() {
    for (latest_s, attempts) in [(86_400, 2), (1_000, 1)] {
        let memory = Memory::demo();
        // It is 09:30 UTC.
        let key = "agent/reminder".to_owned();
        let mut agent: Value = serde_json::from_str(&memory.config.stored.borrow()[&key]).unwrap();
        agent["active_hours"] =
            json!({ "timezone": "UTC", "days": [], "start": "09:00", "end": "09:31" });
        memory
            .config
            .stored
            .borrow_mut()
            .insert(key, agent.to_string());
        memory.config.catch_up();
        let latest = memory.now().plus_s(latest_s).rfc3339();
        let retry = json!({ "max_attempts": 3, "delay_s": 60 });
        let id = create(
            &memory,
            BUSY,
            json!({ "latest_at": latest, "retry": retry }),
        );
        pass(&memory, 1);
        status(&memory, 0, "busy");
        pass(&memory, 300);
        assert_eq!(asked(&memory), 1);
        assert_eq!(memory.calls.borrow().len(), attempts, "{latest_s}");
        let ended = call(&memory, id);
        match attempts {
            2 => assert_eq!(ended["next_attempt_at"], "2026-11-21T09:00:00.000Z"),
            _ => assert_eq!(words(&ended), (1, Some(true)), "{ended:#}"),
        }
    }
}

/// The host dies after any number of steps from the end of an attempt on: the next is planned once and dialled once.
#[test]
fn the_host_dies_while_planning() {
    for survives in 0..24 {
        let (memory, first) = retried(2, &["busy"]);
        memory
            .twilio
            .standing
            .borrow_mut()
            .insert(format!("CA{:032x}", 2), "busy".to_owned());
        status(&memory, 0, "ringing");
        status(&memory, 0, "busy");
        memory.fail_after(survives);
        pass(&memory, 100);
        memory.heal();
        pass(&memory, 300);
        assert_eq!(memory.calls.borrow().len(), 2, "survived {survives}");
        assert!(asked(&memory) <= 2, "survived {survives}");
        let second = next(&memory, first);
        let ended = call(&memory, second);
        assert_eq!(ended["status"], "ended", "survived {survives}: {ended:#}");
        assert_eq!(words(&ended), (2, Some(true)));
        assert_eq!(tests::finish(memory.seats_taken("demo")), Ok(0));
    }
}

/// A program asks for the end of a call that is being hung up on because a machine answered: nothing rings after that.
#[test]
fn a_hangup_stops_the_attempts_after_a_machine() {
    let (memory, id) = retried(2, &["voicemail"]);
    status(&memory, 0, "in-progress");
    let amd = path(&memory, 0, "AsyncAmdStatusCallback");
    callback(&memory, 0, &amd, &[("AnsweredBy", "machine_start")]);
    let hung_up = |memory: &Memory| memory.twilio.hung_up.borrow().len();
    assert_eq!(hung_up(&memory), 1);
    for times in 2..4 {
        assert_eq!(ask(&memory, id, "hangup"), 202);
        assert_eq!(hung_up(&memory), times);
    }
    status(&memory, 0, "completed");
    pass(&memory, 90);
    ends(&memory, id, "voicemail", "machine");
    assert_eq!(words(&call(&memory, id)), (1, Some(true)));
    assert_eq!(asked(&memory), 1);
}
