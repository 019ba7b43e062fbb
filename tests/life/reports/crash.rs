//! Hosts that die between any two steps of reporting, and wakers that come together.

use super::super::TOKEN;
use super::{CALLBACK, HOOK, answers, ask, header, place, subscribe};
use serde_json::Value;
use std::collections::BTreeMap;
use tests::memory::Memory;

#[test]
fn two_wakers_send_once() {
    let memory = Memory::demo();
    subscribe(&memory, HOOK);
    memory.outside.wakes.set(true);
    let placed = place(memory, Some(CALLBACK));
    placed.be_busy();
    placed.pass(100);
    assert_eq!((placed.to(HOOK).len(), placed.to(CALLBACK).len()), (1, 1));
    assert_eq!(placed.states(), ["delivered", "delivered"]);
}

/// The host dies after any number of steps of ending a call and reporting it. Each receiver hears of it under one id,
/// and once it answered 2xx and that was stored, never again.
#[test]
fn the_host_dies_while_reporting() {
    let mut ends = 0;
    for survives in 0..60 {
        let memory = Memory::demo();
        let (webhook, _) = subscribe(&memory, HOOK);
        subscribe(&memory, "https://hooks.example/b");
        let placed = place(memory, Some(CALLBACK));
        placed.memory.fail_after(survives);
        let _ = placed.callback("StatusCallback", &[("CallStatus", "busy")], TOKEN);
        placed.pass(1);
        let lived = placed.states() == ["delivered"; 3];
        placed.memory.heal();
        // Twilio repeats what was not answered 2xx.
        placed.status("busy");
        placed.pass(100);
        placed.ends("busy", "busy");
        assert_eq!(placed.states(), ["delivered"; 3], "survived {survives}");
        let mut sent: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for request in placed.memory.outside.seen.borrow().iter() {
            let ids = sent.entry(request.uri().to_string()).or_default();
            ids.push(header(request, "webhook-id").to_owned());
        }
        assert_eq!(sent.len(), 3, "survived {survives}");
        for (url, mut ids) in sent {
            let attempts = ids.len();
            ids.dedup();
            assert_eq!(ids.len(), 1, "survived {survives}: {url} got two reports");
            assert!(attempts <= 2, "survived {survives}: {url} got {attempts}");
        }
        let path = format!("/v1/webhooks/{webhook}/deliveries");
        let (_, listed) = ask(&placed.memory, "GET", &path, &Value::Null);
        assert_eq!(
            listed["data"].as_array().unwrap().len(),
            1,
            "survived {survives}"
        );
        assert!(placed.memory.wakes.borrow().is_empty());
        ends += usize::from(lived);
    }
    // The last rounds died after all was done: no step was left out.
    assert!(ends > 3 && ends < 50, "{ends}");
}

/// The host dies while a dead letter is sent again by hand.
#[test]
fn the_host_dies_while_resending() {
    for survives in 0..12 {
        let memory = Memory::demo();
        subscribe(&memory, HOOK);
        answers(&memory, HOOK, &[400]);
        let placed = place(memory, None);
        placed.be_busy();
        let id = placed.deliveries()[0]["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/calls/{}/deliveries/{id}/resend", placed.id());
        placed.memory.fail_after(survives);
        let (status, _) = ask(&placed.memory, "POST", &path, &Value::Null);
        placed.pass(1);
        placed.memory.heal();
        placed.pass(60);
        // After a fault it may have been done; after a success it has.
        let states = placed.states();
        let may_be_dead = status != 202 && states == ["dead"];
        assert!(
            states == ["delivered"] || may_be_dead,
            "survived {survives}: {status}, {states:?}"
        );
    }
}
