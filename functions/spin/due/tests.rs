//! The due-index under sweeps, ends and downtime.

use super::*;
use crate::memory::{Memory, call};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// How long a ticket is good for here.
const LENT_S: u64 = 30;

async fn tick(store: &Memory, most: usize) -> Vec<(CallId, String)> {
    let again = store.now().plus_s(LENT_S);
    give_out(store, most, again).await.unwrap()
}

/// Wakes all that is due, as ticks and wakers do.
fn wake_all(store: &Memory) -> Vec<CallId> {
    let mut woken = Vec::new();
    loop {
        let given = store.alone(tick(store, 3));
        let upto = store.alone(mark(store)).unwrap();
        let read = upto.is_none_or(|mark| mark + GRACE_S + LAG_S > store.now().unix_s());
        if given.is_empty() && read {
            return woken;
        }
        for (call, ticket) in given {
            woken.push(call);
            store.alone(take_back(store, call, &ticket)).unwrap();
        }
    }
}

#[test]
fn wakes_in_time_and_once() {
    let store = Memory::new(1);
    let at = Time(store.now().0 + 10_400);
    store.alone(wake_at(&store, call(1), at)).unwrap();
    store.now_ms.set(at.0 - 1);
    assert_eq!(wake_all(&store), []);
    store.now_ms.set(at.0 + 999);
    assert_eq!(wake_all(&store), [call(1)]);
    assert_eq!(wake_all(&store), []);
}

#[test]
fn what_is_past_is_due_at_once() {
    let store = Memory::new(1);
    store.alone(wake_at(&store, call(1), Time(0))).unwrap();
    assert_eq!(wake_all(&store), [call(1)]);
}

#[test]
fn who_is_not_woken_comes_again() {
    let store = Memory::new(1);
    for number in 0..10 {
        store
            .alone(wake_at(&store, call(number), store.now()))
            .unwrap();
    }
    store.now_ms.set(store.now_ms.get() + 1_000);
    let lost = store.alone(tick(&store, 4));
    assert_eq!(lost.len(), 4);
    let given: BTreeSet<CallId> = wake_all(&store).into_iter().collect();
    assert_eq!(given.len(), 6, "nobody is given out twice meanwhile");
    store.now_ms.set(store.now_ms.get() + (LENT_S + 1) * 1_000);
    let again: BTreeSet<CallId> = wake_all(&store).into_iter().collect();
    assert!(again.is_disjoint(&given));
    assert_eq!(again, lost.into_iter().map(|(call, _)| call).collect());
}

/// The host dies after any number of steps of giving calls out.
#[test]
fn nobody_is_lost_while_given_out() {
    for operation in 1..30 {
        let store = Memory::new(operation as u64);
        for number in 0..2 {
            store
                .alone(wake_at(&store, call(number), store.now()))
                .unwrap();
        }
        store.now_ms.set(store.now_ms.get() + 1_000);
        store.run(vec![Box::pin(tick(&store, 3))], &[(0, operation)]);
        store.now_ms.set(store.now_ms.get() + (LENT_S + 1) * 1_000);
        let woken: BTreeSet<CallId> = wake_all(&store).into_iter().collect();
        assert_eq!(woken.len(), 2, "ended after operation {operation}");
    }
}

/// A ticket ends the entry it stands for and nothing else.
#[test]
fn a_ticket_is_good_for_its_own_call() {
    let store = Memory::new(1);
    for number in [1, 2] {
        store
            .alone(wake_at(&store, call(number), store.now()))
            .unwrap();
    }
    store.now_ms.set(store.now_ms.get() + 1_000);
    let given = store.alone(tick(&store, 4));
    let (first, ticket) = &given[0];
    let other = given[1].0;
    let asked = store.now().plus_s(5);
    store.alone(wake_at(&store, *first, asked)).unwrap();
    for (call, ticket) in [
        (other, ticket.as_str()),
        (*first, "mark"),
        (*first, "1-1"),
        (*first, ""),
        (*first, ticket),
        (*first, ticket),
    ] {
        store.alone(take_back(&store, call, ticket)).unwrap();
    }
    store.now_ms.set(asked.0 + 1_000);
    assert_eq!(wake_all(&store), [*first], "what it asked for stays");
    store.now_ms.set(store.now_ms.get() + (LENT_S + 1) * 1_000);
    assert_eq!(wake_all(&store), [other]);
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
    assert_eq!(wake_all(&store).len(), 5);
    assert!(store.operations.get() - before < 60_000);
    let before = store.operations.get();
    assert_eq!(wake_all(&store), []);
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
        wake_all(&store);
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
                for (call, ticket) in tick(store, 5).await {
                    if store.chance(4) == 0 {
                        // Who was to wake it is killed.
                        continue;
                    }
                    woken.borrow_mut().insert(call);
                    take_back(store, call, &ticket).await.unwrap();
                }
            }));
        }
        let ends: Vec<(usize, usize)> = (0..30)
            .step_by(3)
            .map(|request| (request, 1 + store.chance(8)))
            .collect();
        store.run(requests, &ends);
        store.now_ms.set(store.now_ms.get() + 120_000);
        woken.borrow_mut().extend(wake_all(&store));
        assert!(woken.borrow().is_superset(&granted.borrow()), "seed {seed}");
    }
}

#[test]
fn an_entry_behind_the_mark_is_stored_again() {
    let store = Memory::new(1);
    let mut slot = store.alone(reserve(&store, call(1), store.now())).unwrap();
    // The request stands still here, and sweeps go on without it.
    store.now_ms.set(store.now_ms.get() + 500_000);
    assert_eq!(wake_all(&store), []);
    store
        .alone(store.put(std::mem::take(&mut slot.pairs)))
        .unwrap();
    store.alone(settle(&store, call(1), slot)).unwrap();
    assert_eq!(wake_all(&store), [call(1)]);
}
