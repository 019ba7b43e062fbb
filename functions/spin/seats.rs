//! Seats: one value for each organization, `seats/{organization}`, a list of leases changed by compare-and-swap alone.
//!
//! So no two callers can take the last seat. (Where the store has no true compare-and-swap, as behind Spin's Redis
//! provider, this is best effort.) A lease that ran out holds nothing; it is dropped at the next change.

use crate::once;
use crate::store::{Changed, Store};
use calls::id::CallId;
use calls::time::Time;
use functions::{Fault, Lease};
use serde::{Deserialize, Serialize};

/// How often a change is tried while others get in its way.
const TRIES: u32 = 100;

#[derive(Serialize, Deserialize)]
struct Seats {
    v: u32,
    /// Call and end of each lease.
    leases: Vec<(String, Time)>,
}

/// Takes or renews the call's seat: true if at most `seats` are then held.
pub(crate) async fn take(
    store: &impl Store,
    organization: &str,
    lease: Lease,
    seats: u32,
) -> Result<bool, Fault> {
    let call = lease.call.to_string();
    let mut admitted = false;
    let now = store.now();
    change(store, organization, true, |held| {
        let mine = held.leases.iter().find(|(holder, _)| *holder == call);
        if mine.is_some_and(|(_, until)| *until == lease.until && *until > now) {
            admitted = true;
            return false;
        }
        held.leases
            .retain(|(holder, until)| *holder != call && *until > now);
        admitted = held.leases.len() < seats as usize;
        if admitted {
            held.leases.push((call.clone(), lease.until));
        }
        admitted
    })
    .await?;
    Ok(admitted)
}

/// Frees the call's seat, if it holds one.
pub(crate) async fn free(
    store: &impl Store,
    organization: &str,
    call: CallId,
) -> Result<(), Fault> {
    let call = call.to_string();
    change(store, organization, false, |held| {
        let before = held.leases.len();
        held.leases.retain(|(holder, _)| *holder != call);
        held.leases.len() < before
    })
    .await
}

/// How many seats are held.
pub(crate) async fn taken(store: &impl Store, organization: &str) -> Result<u32, Fault> {
    let Some(text) = store.get(&key(organization)).await? else {
        return Ok(0);
    };
    let now = store.now();
    let held = read(&text)?.leases.into_iter();
    Ok(held.filter(|(_, until)| *until > now).count() as u32)
}

/// Lets `change` alter the leases, again as long as others alter them meanwhile; false from it alters nothing.
/// Without `create`, no list is as good as an empty one.
async fn change(
    store: &impl Store,
    organization: &str,
    create: bool,
    mut change: impl FnMut(&mut Seats) -> bool,
) -> Result<(), Fault> {
    let key = key(organization);
    for attempt in 0..TRIES {
        let changed = store.change(&key, |text| {
            let mut held = read(text)?;
            let text = change(&mut held).then(|| show(&held));
            text.transpose()
        });
        match changed.await? {
            Changed::Done => return Ok(()),
            Changed::Missing if !create => return Ok(()),
            Changed::Missing => {
                if let Some(claim) = once::claim(store, &key).await? {
                    let none = Seats {
                        v: 1,
                        leases: Vec::new(),
                    };
                    claim
                        .create(store, vec![(key.clone(), show(&none)?)])
                        .await?;
                }
            }
            Changed::Lost => {
                let most = u64::from(attempt.min(15) + 1) * 2;
                store.wait(1 + u64::from(store.random()[0]) % most).await;
            }
        }
    }
    Err(Fault(format!("{key} is too busy")))
}

fn key(organization: &str) -> String {
    format!("seats/{organization}")
}

fn read(text: &str) -> Result<Seats, Fault> {
    serde_json::from_str(text).map_err(|error| Fault(format!("a list of seats: {error}")))
}

fn show(seats: &Seats) -> Result<String, Fault> {
    serde_json::to_string(seats).map_err(|error| Fault(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Memory, call};

    fn lease(number: u64, store: &Memory) -> Lease {
        Lease {
            call: call(number),
            until: store.now().plus_s(600),
        }
    }

    #[test]
    fn a_hundred_callers_get_ten_seats() {
        for seed in 0..20 {
            let store = Memory::new(seed);
            let callers = (0..100)
                .map(|number| {
                    let lease = lease(number, &store);
                    let store = &store;
                    Box::pin(async move { take(store, "demo", lease, 10).await }) as _
                })
                .collect();
            let admitted = store.run(callers, &[]);
            let count = admitted
                .iter()
                .filter(|got| **got == Some(Ok(true)))
                .count();
            assert_eq!(count, 10, "seed {seed}");
            assert!(admitted.iter().all(|got| matches!(got, Some(Ok(_)))));
            assert_eq!(store.alone(taken(&store, "demo")), Ok(10));
        }
    }

    #[test]
    fn a_seat_is_renewed_freed_and_runs_out() {
        let store = Memory::new(1);
        let mut first = lease(1, &store);
        assert_eq!(store.alone(take(&store, "demo", first, 1)), Ok(true));
        assert_eq!(store.alone(take(&store, "demo", first, 1)), Ok(true));
        first.until = first.until.plus_s(60);
        assert_eq!(store.alone(take(&store, "demo", first, 1)), Ok(true));
        assert_eq!(
            store.alone(take(&store, "demo", lease(2, &store), 1)),
            Ok(false)
        );
        store.alone(free(&store, "demo", call(1))).unwrap();
        store.alone(free(&store, "demo", call(1))).unwrap();
        store.alone(free(&store, "nobody", call(1))).unwrap();
        assert_eq!(store.alone(taken(&store, "demo")), Ok(0));
        assert_eq!(
            store.alone(take(&store, "demo", lease(2, &store), 1)),
            Ok(true)
        );
        store.now_ms.set(store.now_ms.get() + 601_000);
        assert_eq!(store.alone(taken(&store, "demo")), Ok(0));
        assert_eq!(
            store.alone(take(&store, "demo", lease(3, &store), 1)),
            Ok(true)
        );
    }

    #[test]
    fn seats_taken_and_freed_at_once_are_never_too_many() {
        for seed in 0..50 {
            let store = Memory::new(seed);
            let most = std::cell::Cell::new(0_u32);
            let held = std::cell::Cell::new(0_u32);
            let callers = (0..20)
                .map(|number| {
                    let (store, most, held) = (&store, &most, &held);
                    Box::pin(async move {
                        for _ in 0..3 {
                            if take(store, "demo", lease(number, store), 3).await? {
                                held.set(held.get() + 1);
                                most.set(most.get().max(held.get()));
                                store.wait(1).await;
                                held.set(held.get() - 1);
                                free(store, "demo", call(number)).await?;
                            }
                        }
                        Ok::<_, Fault>(())
                    }) as _
                })
                .collect();
            let results = store.run(callers, &[]);
            assert!(
                results.iter().all(|result| *result == Some(Ok(()))),
                "{results:?}"
            );
            assert!((1..=3).contains(&most.get()), "seed {seed}: {}", most.get());
        }
    }

    #[test]
    fn a_spoilt_list_admits_nobody() {
        let store = Memory::new(1);
        let spoilt = (key("demo"), "not json".to_owned());
        store.values.borrow_mut().extend([spoilt]);
        assert!(
            store
                .alone(take(&store, "demo", lease(1, &store), 1))
                .is_err()
        );
    }
}
