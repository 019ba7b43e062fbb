//! The due-index under sweeps, ends and downtime.

use super::*;
use crate::memory::{Memory, call};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// Sweeps as a tick does, until nothing is due.
fn sweep_all(store: &Memory) -> Vec<CallId> {
    let mut woken = Vec::new();
    loop {
        let found = store.alone(sweep(store, 3)).unwrap();
        let done = found.calls.is_empty() && found.mark > store.now().unix_s();
        woken.extend(&found.calls);
        store.alone(swept(store, found)).unwrap();
        if done {
            return woken;
        }
    }
}

#[test]
fn wakes_in_time_and_once() {
    let store = Memory::new(1);
    let at = Time(store.now().0 + 10_400);
    store.alone(wake_at(&store, call(1), at)).unwrap();
    store.now_ms.set(at.0 - 1);
    assert_eq!(sweep_all(&store), []);
    store.now_ms.set(at.0 + 999);
    assert_eq!(sweep_all(&store), [call(1)]);
    assert_eq!(sweep_all(&store), []);
}

#[test]
fn what_is_past_is_due_at_once() {
    let store = Memory::new(1);
    store.alone(wake_at(&store, call(1), Time(0))).unwrap();
    assert_eq!(sweep_all(&store), [call(1)]);
}

#[test]
fn a_sweep_that_is_not_finished_is_done_again() {
    let store = Memory::new(1);
    for number in 0..10 {
        store
            .alone(wake_at(&store, call(number), store.now()))
            .unwrap();
    }
    store.now_ms.set(store.now_ms.get() + 1_000);
    let first = store.alone(sweep(&store, 4)).unwrap();
    assert_eq!(first.calls.len(), 4);
    let again = store.alone(sweep(&store, 4)).unwrap();
    assert_eq!(first, again);
    let all: BTreeSet<CallId> = sweep_all(&store).into_iter().collect();
    assert_eq!(all.len(), 10);
}

#[test]
fn a_year_of_downtime_is_caught_up_with() {
    let store = Memory::new(1);
    for number in 0..5 {
        let at = store.now().plus_s(number * 5_000);
        store.alone(wake_at(&store, call(number), at)).unwrap();
    }
    store.now_ms.set(store.now_ms.get() + 365 * 86_400_000);
    let before = store.operations.get();
    assert_eq!(sweep_all(&store).len(), 5);
    assert!(store.operations.get() - before < 60_000);
    let before = store.operations.get();
    assert_eq!(sweep_all(&store), []);
    assert!(store.operations.get() - before < 300);
}

#[test]
fn leaves_nothing_behind() {
    let store = Memory::new(1);
    for number in 0..50 {
        let at = store.now().plus_s(number * 20);
        store.alone(wake_at(&store, call(number), at)).unwrap();
    }
    for _ in 0..3_000 {
        store.now_ms.set(store.now_ms.get() + 2_000);
        sweep_all(&store);
    }
    let values = store.values.borrow();
    let left: Vec<&String> = values.keys().filter(|key| *key != MARK).collect();
    assert_eq!(left, [] as [&String; 0]);
}

/// Requests ask for wake-ups, sweeps go on beside them, some end half-way: every wake-up that was granted comes.
#[test]
fn no_wake_up_is_lost() {
    for seed in 0..300 {
        let store = Memory::new(seed);
        let granted = RefCell::new(BTreeSet::new());
        let woken = RefCell::new(BTreeSet::new());
        let mut requests: Vec<std::pin::Pin<Box<dyn Future<Output = ()> + '_>>> = Vec::new();
        for number in 0..30 {
            let (store, granted) = (&store, &granted);
            requests.push(Box::pin(async move {
                let at = Time(store.now().0 + number % 7);
                if wake_at(store, call(number), at).await.is_ok() {
                    granted.borrow_mut().insert(call(number));
                }
            }));
        }
        for _ in 0..6 {
            let (store, woken) = (&store, &woken);
            requests.push(Box::pin(async move {
                store.wait(1_000).await;
                let found = sweep(store, 5).await.unwrap();
                woken.borrow_mut().extend(found.calls.iter().copied());
                swept(store, found).await.unwrap();
            }));
        }
        let ends: Vec<(usize, usize)> = (0..30)
            .step_by(3)
            .map(|request| (request, 1 + store.chance(8)))
            .collect();
        store.run(requests, &ends);
        store.now_ms.set(store.now_ms.get() + 120_000);
        woken.borrow_mut().extend(sweep_all(&store));
        assert!(woken.borrow().is_superset(&granted.borrow()), "seed {seed}");
    }
}

#[test]
fn an_entry_behind_the_mark_is_stored_again() {
    let store = Memory::new(1);
    let mut slot = store.alone(reserve(&store, call(1), store.now())).unwrap();
    // The request stands still here, and sweeps go on without it.
    store.now_ms.set(store.now_ms.get() + 500_000);
    assert_eq!(sweep_all(&store), []);
    store
        .alone(store.put(std::mem::take(&mut slot.pairs)))
        .unwrap();
    store.alone(settle(&store, call(1), slot)).unwrap();
    assert_eq!(sweep_all(&store), [call(1)]);
}
