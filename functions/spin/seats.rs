//! Seats: one value for each organization, `seats/{organization}`, changed by compare-and-swap alone.
//!
//! So no two callers can take the last seat. (Where the store has no true compare-and-swap, as behind Spin's Redis
//! provider, this is best effort.)

use crate::once;
use crate::store::{Changed, Store};
use calls::id::CallId;
use calls::seats::{Full, Lease, Limits, Seats};
use functions::Fault;

/// How often a change is tried while others get in its way.
const TRIES: u32 = 100;

/// Takes or renews the call's seat, if the limits leave one.
pub(crate) async fn take(
    store: &impl Store,
    organization: &str,
    lease: Lease,
    limits: &Limits,
) -> Result<Result<(), Full>, Fault> {
    let mut admitted = Ok(());
    change(store, organization, true, |seats| {
        let before = seats.clone();
        admitted = seats.take(lease.clone(), limits, store.now());
        admitted.is_ok() && *seats != before
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
    change(store, organization, false, |seats| seats.free(&call)).await
}

/// The seats as they stand.
pub(crate) async fn all(store: &impl Store, organization: &str) -> Result<Seats, Fault> {
    match store.get(&key(organization)).await? {
        Some(text) => read(&text),
        None => Ok(Seats::default()),
    }
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
                    let none = show(&Seats::default())?;
                    claim.create(store, vec![(key.clone(), none)]).await?;
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

    const TEN: Limits = Limits {
        seats: 10,
        reserve: 0,
        agent: None,
        per_second: None,
    };

    fn lease(number: u64, store: &Memory) -> Lease {
        Lease {
            call: call(number).to_string(),
            agent: format!("agent-{}", number % 2),
            inbound: number.is_multiple_of(5),
            until: store.now().plus_s(600),
        }
    }

    fn taken(store: &Memory) -> u32 {
        let seats = store.alone(all(store, "demo")).unwrap();
        seats.taken(store.now())
    }

    /// A hundred calls of two agents at once, every fifth of which came in: how many of each kind were admitted.
    fn rush(seed: u64, limits: &Limits) -> (usize, usize) {
        let store = Memory::new(seed);
        let callers = (0..100)
            .map(|number| {
                let lease = lease(number, &store);
                let store = &store;
                Box::pin(async move { take(store, "demo", lease, limits).await }) as _
            })
            .collect();
        let answers = store.run(callers, &[]);
        assert!(answers.iter().all(|got| matches!(got, Some(Ok(_)))));
        let admitted: Vec<usize> = (0..100)
            .filter(|number| answers[*number] == Some(Ok(Ok(()))))
            .collect();
        assert_eq!(taken(&store) as usize, admitted.len(), "seed {seed}");
        let inbound = admitted.iter().filter(|number| **number % 5 == 0).count();
        (admitted.len() - inbound, inbound)
    }

    #[test]
    fn a_hundred_callers_get_ten_seats() {
        for seed in 0..20 {
            let (placed, inbound) = rush(seed, &TEN);
            assert_eq!(placed + inbound, 10, "seed {seed}");
        }
    }

    #[test]
    fn all_limits_hold_at_once() {
        let limits = Limits {
            seats: 12,
            reserve: 4,
            agent: Some(5),
            per_second: Some(6),
        };
        for seed in 0..20 {
            let (placed, inbound) = rush(seed, &limits);
            // The store's clock moves by milliseconds: all of this is one second.
            assert!(placed <= 6, "seed {seed}: {placed} placed");
            assert!(
                placed + inbound <= 10,
                "seed {seed}: two agents of five seats"
            );
            assert!(inbound > 0, "seed {seed}: nobody came in");
        }
    }

    #[test]
    fn a_seat_is_renewed_freed_and_runs_out() {
        let store = Memory::new(1);
        let one = Limits { seats: 1, ..TEN };
        let take = |number| {
            let lease = lease(number, &store);
            store
                .alone(take(&store, "demo", lease, &one))
                .unwrap()
                .is_ok()
        };
        assert!(take(1));
        assert!(take(1));
        assert!(!take(2));
        store.alone(free(&store, "demo", call(1))).unwrap();
        store.alone(free(&store, "demo", call(1))).unwrap();
        store.alone(free(&store, "nobody", call(1))).unwrap();
        assert_eq!(taken(&store), 0);
        assert!(take(2));
        store.now_ms.set(store.now_ms.get() + 601_000);
        assert_eq!(taken(&store), 0);
        assert!(take(3));
    }

    #[test]
    fn seats_taken_and_freed_at_once_are_never_too_many() {
        let three = Limits { seats: 3, ..TEN };
        for seed in 0..50 {
            let store = Memory::new(seed);
            let most = std::cell::Cell::new(0_u32);
            let held = std::cell::Cell::new(0_u32);
            let callers = (0..20)
                .map(|number| {
                    let (store, most, held, three) = (&store, &most, &held, &three);
                    Box::pin(async move {
                        for _ in 0..3 {
                            let lease = lease(number, store);
                            if take(store, "demo", lease, three).await?.is_ok() {
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
        let took = store.alone(take(&store, "demo", lease(1, &store), &TEN));
        assert!(took.is_err());
    }
}
