//! Many callers at once on a running stack. `cargo verify` starts it, with voices as processes.

use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tests::tenant::{Said, Tenant};

const CALLERS: usize = 100;
const CALLS: usize = 1_000;
/// Where it is about one number.
const FEW: usize = 100;
/// A caller without a seat tries again after one to three of these: about when the answer says.
const AGAIN: Duration = Duration::from_secs(4);
/// How long all of it may take, in seconds.
const PATIENCE_S: u64 = 600;

/// A thousand calls by a hundred callers against ten seats: never more than ten are live, and no seat stays taken.
#[test]
#[ignore = "needs a running stack: cargo verify"]
fn ten_seats() {
    let tenant = Tenant::new(598, 10);
    tenant.faults(&json!({ "story": "busy" }));
    let (next, refused, ids) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::default());
    let begun = Instant::now();
    thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (tenant, next, refused, ids) = (&tenant, &next, &refused, &ids);
            scope.spawn(move || {
                while let Some(call) = more(next) {
                    let (id, again) = place(tenant, call, caller);
                    refused.fetch_add(again, Ordering::Relaxed);
                    let ids: &Mutex<Vec<String>> = ids;
                    ids.lock().unwrap().push(id);
                }
            });
        }
    });
    let ids = ids.into_inner().unwrap();
    // On a machine that is too busy Twilio's stand-in may not answer in time: such a call is looked for, then lost.
    let ended = ids.iter().map(|id| tenant.end(id, 400).unwrap());
    let lost = ended.filter(|call| call["outcome"] == "lost").count();
    assert_eq!(tenant.seats_taken(60), 0, "seats leaked");
    let rung = tenant.rung();
    assert_eq!(ids.len(), CALLS);
    assert_eq!(rung.len() + lost, CALLS);
    assert!(lost < CALLS / 50, "{lost} calls were lost");
    assert!(
        rung.values().all(|times| *times == 1),
        "a number rang twice"
    );
    let most = tenant.most_live();
    assert!(most <= 10, "{most} calls were live at once");
    let (refused, seconds) = (refused.into_inner(), begun.elapsed().as_secs());
    println!(
        "| {CALLS} calls, {CALLERS} callers, 10 seats | at most {most} live | {refused} refusals | 0 seats leaked | {seconds} s |"
    );
}

/// A thousand requests with ten idempotency keys place ten calls.
#[test]
#[ignore = "needs a running stack: cargo verify"]
fn ten_keys() {
    let tenant = Tenant::new(599, 20);
    tenant.faults(&json!({ "story": "busy" }));
    let (next, ids) = (AtomicUsize::new(0), Mutex::new(BTreeSet::new()));
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            let (tenant, next, ids) = (&tenant, &next, &ids);
            scope.spawn(move || {
                while let Some(call) = more(next) {
                    let key = call % 10;
                    let said = tenant.place(&tenant.number(key), &format!("key {key}"));
                    let said = said.expect("an answer");
                    // In progress, until the first request has its answer.
                    assert!(matches!(said.status, 200 | 409), "{said:?}");
                    if let (200, Some(id)) = (said.status, said.id) {
                        ids.lock().unwrap().insert(id);
                    }
                }
            });
        }
    });
    let ids = ids.into_inner().unwrap();
    assert_eq!(ids.len(), 10);
    for id in &ids {
        tenant.end(id, 120).unwrap();
    }
    assert_eq!(tenant.seats_taken(60), 0, "seats leaked");
    assert_eq!(tenant.simulated().len(), 10);
    println!("| {CALLS} requests, 10 keys | 10 calls | 0 seats leaked |");
}

/// A hundred like requests without a key, for an agent that takes them for one: one call.
#[test]
#[ignore = "needs a running stack: cargo verify"]
fn like_requests() {
    let tenant = Tenant::with(596, 20, &json!({}), &json!({ "dedupe_s": 600 }));
    tenant.faults(&json!({ "story": "busy" }));
    let said = ask_for_one_number(&tenant);
    // In progress, until the first request has its answer.
    let known = |said: &Said| matches!(said.status, 200 | 409);
    assert!(said.iter().all(known), "{said:?}");
    let placed = said.iter().filter(|said| said.status == 200);
    let ids: BTreeSet<_> = placed.filter_map(|said| said.id.clone()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    for id in &ids {
        tenant.end(id, 120).unwrap();
    }
    assert_eq!(tenant.seats_taken(60), 0, "seats leaked");
    assert_eq!(tenant.simulated().len(), 1);
    println!("| {FEW} like requests, no key | 1 call | 0 seats leaked |");
}

/// A hundred requests for a number that may be tried three times a day: three calls.
#[test]
#[ignore = "needs a running stack: cargo verify"]
fn three_attempts() {
    let capped = json!({ "attempts_per_day": 3 });
    let tenant = Tenant::with(597, FEW as u64, &capped, &json!({}));
    tenant.faults(&json!({ "story": "busy" }));
    let said = ask_for_one_number(&tenant);
    let (placed, refused): (Vec<_>, Vec<_>) = said.iter().partition(|said| said.status == 200);
    assert!(refused.iter().all(|said| said.status == 403), "{refused:?}");
    assert_eq!(placed.len(), 3, "{placed:?}");
    for said in placed {
        let id = said.id.as_ref().expect("a call has an id");
        tenant.end(id, 120).unwrap();
    }
    assert_eq!(tenant.seats_taken(60), 0, "seats leaked");
    assert_eq!(tenant.simulated().len(), 3);
    println!("| {FEW} requests for a number, 3 attempts a day | 3 calls | 0 seats leaked |");
}

/// What so many requests for the same number are answered, all sent at once.
fn ask_for_one_number(tenant: &Tenant) -> Vec<Said> {
    thread::scope(|scope| {
        let asked: Vec<_> = (0..FEW)
            .map(|_| scope.spawn(|| tenant.place_unkeyed(&tenant.number(0))))
            .collect();
        let said = asked.into_iter().map(|said| said.join().unwrap().unwrap());
        said.collect()
    })
}

fn more(next: &AtomicUsize) -> Option<usize> {
    let call = next.fetch_add(1, Ordering::Relaxed);
    (call < CALLS).then_some(call)
}

/// The call's id, once there was a seat for it, and how often there was none.
fn place(tenant: &Tenant, call: usize, caller: usize) -> (String, usize) {
    let begun = Instant::now();
    for again in 0.. {
        let said = tenant.place(&tenant.number(call), &format!("call {call}"));
        let said = said.expect("an answer");
        if said.status == 200 {
            return (said.id.expect("a call has an id"), again);
        }
        assert_eq!(said.status, 429, "{said:?}");
        assert!(begun.elapsed() < Duration::from_secs(PATIENCE_S));
        thread::sleep(AGAIN * u32::try_from(1 + (again + caller) % 3).unwrap_or(1));
    }
    unreachable!("it goes on until there is a seat or patience ends")
}
