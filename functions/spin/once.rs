//! Creating a key exactly once, in a store that can count but not create.
//!
//! The one whose count of `once/{key}/0` is 1 may create the key. Should it end between counting and setting, the key would be
//! missing for ever, so others wait for it [`PATIENCE_MS`] and then hold another election, with the next counter.
//! A winner that was held up so long that others may have given up on it does not set the key any more.

use crate::store::Store;
use functions::Fault;

/// How long a winner has, with a wide margin: it takes two writes, which wait their turn on a busy SQLite.
const PATIENCE_MS: u64 = 20_000;
/// How long others wait at most before they look again whether it is done.
const LOOK_MS: u64 = 250;
/// Elections before this is given up: so many creators in a row would have to end in the same few milliseconds.
const ROUNDS: u32 = 5;

/// The right to create one key.
#[derive(Debug)]
pub(crate) struct Claim {
    won_at: u64,
}

/// `None`: the key exists.
pub(crate) async fn claim(store: &impl Store, key: &str) -> Result<Option<Claim>, Fault> {
    for round in 0..ROUNDS {
        if store.get(key).await?.is_some() {
            return Ok(None);
        }
        let won_at = store.now().0;
        if store.count_up(&format!("once/{key}/{round}")).await? == 1 {
            // In a later round the key may have come while this one counted.
            let late = round > 0 && store.get(key).await?.is_some();
            return Ok((!late).then_some(Claim { won_at }));
        }
        if appears(store, key).await? {
            return Ok(None);
        }
    }
    Err(Fault(format!(
        "{key} was begun {ROUNDS} times and never created"
    )))
}

impl Claim {
    /// Sets the pairs, the claimed key among them.
    pub(crate) async fn create(
        self,
        store: &impl Store,
        pairs: Vec<(String, String)>,
    ) -> Result<(), Fault> {
        if store.now().0.abs_diff(self.won_at) > PATIENCE_MS / 2 {
            return Err(Fault("this took too long; another may do it".to_owned()));
        }
        store.put(pairs).await
    }
}

async fn appears(store: &impl Store, key: &str) -> Result<bool, Fault> {
    let mut waited = 0;
    let mut pause = 5;
    while waited < PATIENCE_MS {
        if store.get(key).await?.is_some() {
            return Ok(true);
        }
        store.wait(pause).await;
        waited += pause;
        pause = (pause * 2).min(LOOK_MS);
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use std::pin::Pin;

    async fn create(store: &Memory) -> Result<bool, Fault> {
        let Some(claim) = claim(store, "key").await? else {
            return Ok(false);
        };
        let pairs = vec![("key".to_owned(), "value".to_owned())];
        claim.create(store, pairs).await?;
        Ok(true)
    }

    type Creator<'a> = Pin<Box<dyn Future<Output = Result<bool, Fault>> + 'a>>;

    fn creators(store: &Memory) -> Vec<Creator<'_>> {
        (0..8).map(|_| Box::pin(create(store)) as _).collect()
    }

    #[test]
    fn one_of_many_creates_it() {
        for seed in 0..200 {
            let store = Memory::new(seed);
            let results = store.run(creators(&store), &[]);
            let created = results.iter().filter(|result| **result == Some(Ok(true)));
            assert_eq!(created.count(), 1, "seed {seed}");
        }
    }

    #[test]
    fn a_creator_that_ends_half_way_is_stood_in_for() {
        for seed in 0..10 {
            // Ended after any of its operations; whether it had won the election is left to chance.
            for operation in 1..6 {
                let store = Memory::new(seed);
                let results = store.run(creators(&store), &[(0, operation)]);
                assert!(store.values.borrow().contains_key("key"));
                let created = results.iter().filter(|result| **result == Some(Ok(true)));
                assert!(created.count() <= 1, "seed {seed}, operation {operation}");
                assert!(
                    results[1..]
                        .iter()
                        .all(|result| matches!(result, Some(Ok(_))))
                );
            }
        }
    }
}
