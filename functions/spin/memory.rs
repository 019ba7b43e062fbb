//! A store in memory, and a way to run requests on it one operation at a time in any order: what the rules are tested on.

use crate::store::{Changed, Store};
use calls::time::Time;
use functions::Fault;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

pub(crate) struct Memory {
    pub(crate) values: RefCell<BTreeMap<String, String>>,
    counters: RefCell<BTreeMap<String, u64>>,
    pub(crate) now_ms: Cell<u64>,
    chance: Cell<u64>,
    /// Operations so far.
    pub(crate) operations: Cell<u64>,
}

impl Memory {
    pub(crate) fn new(seed: u64) -> Memory {
        Memory {
            values: RefCell::default(),
            counters: RefCell::default(),
            now_ms: Cell::new(1_795_167_000_000),
            // Mixed: of small numbers the first draws are much the same.
            chance: Cell::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            operations: Cell::new(0),
        }
    }

    pub(crate) fn chance(&self, below: usize) -> usize {
        let mut state = self.chance.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.chance.set(state);
        (state >> 11) as usize % below
    }

    /// Lets others have their turn.
    async fn turn(&self) {
        self.operations.set(self.operations.get() + 1);
        let mut had = false;
        std::future::poll_fn(|context| {
            if std::mem::replace(&mut had, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// Runs the requests, an operation of one and an operation of another by chance, to their ends.
    /// Those of `ends` are given up after so many of their operations, as if their instance had ended.
    pub(crate) fn run<'a, T>(
        &self,
        requests: Vec<Pin<Box<dyn Future<Output = T> + 'a>>>,
        ends: &[(usize, usize)],
    ) -> Vec<Option<T>> {
        let mut results: Vec<Option<T>> = requests.iter().map(|_| None).collect();
        let mut live: Vec<_> = requests.into_iter().enumerate().collect();
        let mut polls = vec![0_usize; results.len()];
        let mut context = Context::from_waker(Waker::noop());
        let mut step = 0_u64;
        while !live.is_empty() {
            step += 1;
            if step.is_multiple_of(live.len() as u64 * 4) {
                self.now_ms.set(self.now_ms.get() + 1);
            }
            let at = self.chance(live.len());
            let (request, future) = &mut live[at];
            polls[*request] += 1;
            if ends.contains(&(*request, polls[*request])) {
                drop(live.swap_remove(at));
            } else if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
                results[*request] = Some(result);
                drop(live.swap_remove(at));
            }
        }
        results
    }

    /// Runs one request alone.
    pub(crate) fn alone<T>(&self, request: impl Future<Output = T>) -> T {
        self.run(vec![Box::pin(request)], &[])
            .remove(0)
            .expect("nothing ends it early")
    }
}

impl Store for Memory {
    async fn get(&self, key: &str) -> Result<Option<String>, Fault> {
        self.turn().await;
        Ok(self.values.borrow().get(key).cloned())
    }

    async fn put(&self, pairs: Vec<(String, String)>) -> Result<(), Fault> {
        self.turn().await;
        self.values.borrow_mut().extend(pairs);
        Ok(())
    }

    async fn delete(&self, keys: Vec<String>) -> Result<(), Fault> {
        self.turn().await;
        for key in keys {
            self.values.borrow_mut().remove(&key);
            self.counters.borrow_mut().remove(&key);
        }
        Ok(())
    }

    async fn count_up_by(&self, counter: &str, by: u32) -> Result<u64, Fault> {
        self.turn().await;
        let mut counters = self.counters.borrow_mut();
        let count = counters.entry(counter.to_owned()).or_default();
        *count += u64::from(by);
        Ok(*count)
    }

    async fn count(&self, counter: &str) -> Result<u64, Fault> {
        self.turn().await;
        Ok(self.counters.borrow().get(counter).copied().unwrap_or(0))
    }

    async fn change(
        &self,
        key: &str,
        change: impl FnOnce(&str) -> Result<Option<String>, Fault>,
    ) -> Result<Changed, Fault> {
        let Some(seen) = self.get(key).await? else {
            return Ok(Changed::Missing);
        };
        let Some(value) = change(&seen)? else {
            return Ok(Changed::Done);
        };
        self.turn().await;
        let mut values = self.values.borrow_mut();
        if values.get(key) != Some(&seen) {
            return Ok(Changed::Lost);
        }
        values.insert(key.to_owned(), value);
        Ok(Changed::Done)
    }

    fn now(&self) -> Time {
        Time(self.now_ms.get())
    }

    fn random(&self) -> [u8; 16] {
        std::array::from_fn(|_| self.chance(256) as u8)
    }

    async fn wait(&self, ms: u64) {
        let until = self.now_ms.get() + ms;
        while self.now_ms.get() < until {
            self.turn().await;
        }
    }
}

/// The id of the test's call number `number`.
pub(crate) fn call(number: u64) -> calls::id::CallId {
    calls::id::CallId::of_run(b"key", "demo", number)
}
