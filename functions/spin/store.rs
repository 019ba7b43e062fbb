//! The key-value store as the rules of this host need it, and Spin's own behind it.
//!
//! What a store must offer: every single operation is atomic and seen by all readers once it is done. Between two operations
//! anything may happen, also the end of this instance. Keys that count are never read or set as text elsewhere.

use calls::time::Time;
use functions::Fault;
use spin_sdk::experimental::wasi::keyvalue::atomics::{self, CasError};
use spin_sdk::experimental::wasi::keyvalue::batch;
use spin_sdk::experimental::wasi::keyvalue::store::{self as wasi, Bucket};
use spin_sdk::key_value;
use std::cell::OnceCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The store, and the clock its rules go by.
pub(crate) trait Store {
    async fn get(&self, key: &str) -> Result<Option<String>, Fault>;
    /// Sets all of them, at once where the store can do that (SQLite and Redis can).
    async fn put(&self, pairs: Vec<(String, String)>) -> Result<(), Fault>;
    async fn delete(&self, keys: Vec<String>) -> Result<(), Fault>;
    /// Adds one to a counter and returns what it is then; a new one begins at zero.
    async fn count_up(&self, counter: &str) -> Result<u64, Fault> {
        self.count_up_by(counter, 1).await
    }
    async fn count_up_by(&self, counter: &str, by: u32) -> Result<u64, Fault>;
    /// What a counter stands at. Unlike [`Store::count_up`] it costs no write.
    async fn count(&self, counter: &str) -> Result<u64, Fault>;
    /// Changes a value that exists: `change` sees it and says what it is to be, or `None` to leave it.
    async fn change(
        &self,
        key: &str,
        change: impl FnOnce(&str) -> Result<Option<String>, Fault>,
    ) -> Result<Changed, Fault>;
    fn now(&self) -> Time;
    fn random(&self) -> [u8; 16];
    async fn wait(&self, ms: u64);
}

/// What became of a [`Store::change`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// It is done, or was not needed.
    Done,
    /// Somebody else changed it meanwhile; nothing was done. (On Redis, Spin says so also when it was done:
    /// whoever tries again must look whether it has what it wants.)
    Lost,
    /// There is no such key.
    Missing,
}

/// Spin's default store, opened when it is first needed.
#[derive(Default)]
pub(crate) struct KeyValue(OnceCell<Open>);

struct Open {
    store: key_value::Store,
    /// The same store through the interface that has atomic operations.
    bucket: Bucket,
}

impl KeyValue {
    async fn open(&self) -> Result<&Open, Fault> {
        if let Some(open) = self.0.get() {
            return Ok(open);
        }
        let store = key_value::Store::open_default().await.map_err(fault)?;
        let bucket = wasi::open("default").map_err(fault)?;
        Ok(self.0.get_or_init(|| Open { store, bucket }))
    }

    /// All keys of the store.
    pub(crate) async fn keys(&self) -> Result<Vec<String>, Fault> {
        let keys = self.open().await?.store.get_keys().await;
        keys.collect().await.map_err(fault)
    }
}

impl Store for KeyValue {
    async fn get(&self, key: &str) -> Result<Option<String>, Fault> {
        let value = self.open().await?.store.get(key).await.map_err(fault)?;
        let text = |bytes| String::from_utf8(bytes).map_err(|_| Fault(format!("{key} is no text")));
        value.map(text).transpose()
    }

    async fn put(&self, pairs: Vec<(String, String)>) -> Result<(), Fault> {
        let pairs: Vec<(String, Vec<u8>)> = pairs
            .into_iter()
            .map(|(key, value)| (key, value.into_bytes()))
            .collect();
        match pairs.as_slice() {
            [] => Ok(()),
            [(key, value)] => self
                .open()
                .await?
                .store
                .set(key, value)
                .await
                .map_err(fault),
            _ => batch::set_many(&self.open().await?.bucket, &pairs).map_err(fault),
        }
    }

    async fn delete(&self, keys: Vec<String>) -> Result<(), Fault> {
        match keys.as_slice() {
            [] => Ok(()),
            [key] => self.open().await?.store.delete(key).await.map_err(fault),
            _ => batch::delete_many(&self.open().await?.bucket, &keys).map_err(fault),
        }
    }

    async fn count_up_by(&self, counter: &str, by: u32) -> Result<u64, Fault> {
        increment(&self.open().await?.bucket, counter, i64::from(by))
    }

    async fn count(&self, counter: &str) -> Result<u64, Fault> {
        let open = self.open().await?;
        match open.store.get(counter).await {
            Ok(None) => Ok(0),
            Ok(Some(value)) => match read_counter(&value) {
                Some(count) => Ok(count),
                None => increment(&open.bucket, counter, 0),
            },
            // Some stores keep counters in a form that a plain read does not understand.
            Err(_) => increment(&open.bucket, counter, 0),
        }
    }

    async fn change(
        &self,
        key: &str,
        change: impl FnOnce(&str) -> Result<Option<String>, Fault>,
    ) -> Result<Changed, Fault> {
        let swap = atomics::Cas::new(&self.open().await?.bucket, key).map_err(fault)?;
        // Without a value to compare with, Spin's swap would set in any case.
        let Some(value) = swap.current().map_err(fault)? else {
            return Ok(Changed::Missing);
        };
        let value = String::from_utf8(value).map_err(|_| Fault(format!("{key} is no text")))?;
        let Some(value) = change(&value)? else {
            return Ok(Changed::Done);
        };
        match atomics::swap(swap, value.as_bytes()) {
            Ok(()) => Ok(Changed::Done),
            Err(CasError::CasFailed(_)) => Ok(Changed::Lost),
            Err(CasError::StoreError(error)) => Err(fault(error)),
        }
    }

    fn now(&self) -> Time {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Time(since.map_or(0, |since| since.as_millis() as u64))
    }

    fn random(&self) -> [u8; 16] {
        random()
    }

    async fn wait(&self, ms: u64) {
        spin_sdk::time::sleep(Duration::from_millis(ms)).await;
    }
}

pub(crate) fn random() -> [u8; 16] {
    let bytes = spin_sdk::wasip3::random::random::get_random_bytes(16);
    std::array::from_fn(|place| bytes.get(place).copied().unwrap_or(0))
}

fn increment(bucket: &Bucket, counter: &str, by: i64) -> Result<u64, Fault> {
    let count = atomics::increment(bucket, counter, by).map_err(fault)?;
    u64::try_from(count).map_err(|_| Fault(format!("counter {counter} is below zero")))
}

/// SQLite keeps a counter as eight bytes, lowest first; Redis as digits. Eight digits read as bytes would be absurdly many.
fn read_counter(value: &[u8]) -> Option<u64> {
    const ABSURD: u64 = 1 << 53;
    let text = std::str::from_utf8(value).ok();
    if let Some(count) = text.and_then(|text| text.parse().ok()) {
        return Some(count);
    }
    let count = u64::from_le_bytes(value.try_into().ok()?);
    (count < ABSURD).then_some(count)
}

fn fault(error: impl std::fmt::Debug) -> Fault {
    Fault(format!("the key-value store: {error:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_counters_of_either_form() {
        assert_eq!(read_counter(&7_u64.to_le_bytes()), Some(7));
        assert_eq!(read_counter(b"7"), Some(7));
        assert_eq!(read_counter(b"12345678"), Some(12_345_678));
        assert_eq!(read_counter(b"{\"value\":7}"), None);
    }
}
