//! Configuration in Workers KV, and what this isolate read of it in the last seconds.

use crate::call_object::now;
use crate::exchange::fault;
use calls::time::Time;
use functions::Fault;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;
use worker::{Delay, Env, KvError, KvStore};

/// How long a value that was read is good, in milliseconds. KV itself may show an old one for a minute.
const FRESH_MS: u64 = 10_000;
/// The most values that are kept, and the longest, in bytes: 16 MiB of the isolate's 128 at the worst.
const MOST_KEPT: usize = 512;
const LONGEST_KEPT: usize = 32 * 1024;
/// KV takes one write a second to a key, and says 429 to more.
const WRITE_AGAIN_MS: u64 = 1_100;

thread_local! {
    static KEPT: RefCell<HashMap<String, (Time, String)>> = RefCell::new(HashMap::new());
    /// Counts writes, so that a read that began before one keeps nothing.
    static WRITES: Cell<u64> = const { Cell::new(0) };
}

pub(crate) async fn get(env: &Env, key: &str) -> Result<Option<String>, Fault> {
    let now = now();
    let kept = KEPT.with_borrow(|kept| {
        let (read, value) = kept.get(key)?;
        (now.0 < read.0 + FRESH_MS).then(|| value.clone())
    });
    if kept.is_some() {
        return Ok(kept);
    }
    let writes = WRITES.get();
    let value = store(env)?.get(key).text().await.map_err(fault)?;
    // What is not there may come at any moment, and has to be found then.
    if let Some(text) = &value
        && text.len() <= LONGEST_KEPT
        && WRITES.get() == writes
    {
        KEPT.with_borrow_mut(|kept| {
            if kept.len() >= MOST_KEPT {
                kept.clear();
            }
            kept.insert(key.to_owned(), (now, text.clone()));
        });
    }
    Ok(value)
}

pub(crate) async fn put(env: &Env, key: &str, value: &str) -> Result<(), Fault> {
    let store = store(env)?;
    let mut done = write(&store, key, value).await;
    for _ in 0..2 {
        if !done
            .as_ref()
            .is_err_and(|error| error.to_string().contains("429"))
        {
            break;
        }
        Delay::from(Duration::from_millis(WRITE_AGAIN_MS)).await;
        done = write(&store, key, value).await;
    }
    forget(key);
    done.map_err(fault)
}

pub(crate) async fn delete(env: &Env, key: &str) -> Result<(), Fault> {
    let done = store(env)?.delete(key).await;
    forget(key);
    done.map_err(fault)
}

pub(crate) async fn keys(env: &Env, prefix: &str) -> Result<Vec<String>, Fault> {
    let store = store(env)?;
    let mut names = Vec::new();
    let mut cursor = None;
    loop {
        let mut list = store.list().prefix(prefix.to_owned());
        if let Some(cursor) = cursor {
            list = list.cursor(cursor);
        }
        let page = list.execute().await.map_err(fault)?;
        names.extend(page.keys.into_iter().map(|key| key.name));
        if page.list_complete {
            return Ok(names);
        }
        cursor = page.cursor;
    }
}

fn store(env: &Env) -> Result<KvStore, Fault> {
    env.kv("CONFIG").map_err(fault)
}

/// Writes text: anything else the store would write as JavaScript sees it.
async fn write(store: &KvStore, key: &str, value: &str) -> Result<(), KvError> {
    store.put(key, value)?.execute().await
}

fn forget(key: &str) {
    WRITES.set(WRITES.get() + 1);
    KEPT.with_borrow_mut(|kept| kept.remove(key));
}
