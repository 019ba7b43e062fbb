//! Voices that nobody can stop: what follows the call's end does not wait for that.

use super::super::later::{pass, status};
use super::{HOOK, ask, place, subscribe};
use serde_json::json;
use tests::memory::Memory;

/// Its launcher does not answer: the call's end is told all the same, and the voice is stopped when it can be.
#[test]
fn a_voice_that_is_not_stopped_holds_nothing_up() {
    let memory = Memory::demo();
    subscribe(&memory, HOOK);
    memory.unstoppable.set(true);
    let retry = json!({ "max_attempts": 2, "delay_s": 60, "on": ["busy"] });
    let body = json!({ "agent_id": "reminder", "to": "+15005550010", "retry": retry });
    assert_eq!(ask(&memory, "POST", "/v1/calls", &body).0, 201);
    status(&memory, 0, "busy");
    pass(&memory, 30);
    assert_eq!(memory.outside.seen.borrow().len(), 1);
    assert_eq!(
        memory.calls.borrow().len(),
        2,
        "the next attempt is not planned"
    );
    assert_eq!(memory.running.borrow().len(), 1);
    memory.unstoppable.set(false);
    pass(&memory, 16);
    assert!(memory.running.borrow().is_empty());
    assert_eq!(memory.outside.seen.borrow().len(), 1);
}

/// One that can never be stopped ends by itself: it is not come back to for ever.
#[test]
fn a_voice_that_is_never_stopped_is_given_up() {
    let placed = place(Memory::demo(), None);
    placed.memory.unstoppable.set(true);
    placed.be_busy();
    placed.pass(60);
    assert!(!placed.memory.wakes.borrow().is_empty());
    placed.pass(6_000);
    assert!(placed.memory.wakes.borrow().is_empty());
}
