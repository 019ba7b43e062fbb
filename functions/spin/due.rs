//! The due-index: which calls are to be woken when. Spin has no alarms; the launcher's tick reads this instead.
//!
//! Time is cut into buckets of one second. `due/{bucket}` counts a bucket's entries; entry `n` is the call id at
//! `due/{bucket}/{n}`. `due/page/{page}` says that a page of 1024 buckets has any, so that a long downtime is read
//! in a moment. `due/mark` is the bucket that reading starts from: all before it are done.
//!
//! Why no wake-up is lost, whoever ends between any two steps:
//! - An entry is stored after its number was counted. Ending in between leaves a hole, and the caller was told nothing yet.
//! - Who takes a call out stores another entry for it, a while ahead, before its entries are deleted; its place is the ticket.
//!   That one is deleted when the call was woken and has asked for what it needs next. Ending before that wakes it twice,
//!   which does nothing.
//! - The mark moves only over buckets that lie [`GRACE_S`] back, further than clocks differ and requests stand still;
//!   who stores an entry looks at the mark afterwards, and finding it past his bucket stores another in a later one.
//! - The mark may be set back by a slow sweep; then done buckets are read again and found empty.

use crate::store::Store;
use calls::id::CallId;
use calls::time::Time;
use functions::Fault;
use futures::future::try_join_all;
use std::collections::BTreeMap;

/// How far back the mark stays.
const GRACE_S: u64 = 30;
/// How far the mark lags before it is worth a write.
const LAG_S: u64 = 60;
/// Buckets in a page.
const PAGE: u64 = 1024;
/// Buckets and pages one sweep looks at; what is left is for the next. More than six years of empty pages a minute.
const LOOKS: u32 = 4096;
/// Entries asked for at once.
const ENTRIES: u64 = 32;

const MARK: &str = "due/mark";

/// A place in the index that is counted but not yet stored.
pub(crate) struct Slot {
    bucket: u64,
    number: u64,
    /// What to store.
    pub(crate) pairs: Vec<(String, String)>,
}

/// What a sweep found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sweep {
    calls: Vec<CallId>,
    /// The first bucket that was not read to its end.
    mark: u64,
    entries: Vec<String>,
    /// Buckets that had entries, ever.
    used: Vec<u64>,
}

/// Has the call woken at `at`, less than a second late.
pub(crate) async fn wake_at(store: &impl Store, call: CallId, at: Time) -> Result<(), Fault> {
    let mut slot = reserve(store, call, at).await?;
    store.put(std::mem::take(&mut slot.pairs)).await?;
    settle(store, call, slot).await
}

/// Counts an entry for the call. Storing its pairs makes it one; [`settle`] comes after that.
pub(crate) async fn reserve(store: &impl Store, call: CallId, at: Time) -> Result<Slot, Fault> {
    let now_s = store.now().unix_s();
    if mark(store).await?.is_none() {
        // Before any entry, so that none lies before the mark.
        let mark = now_s.saturating_sub(GRACE_S);
        store.put(vec![(MARK.to_owned(), mark.to_string())]).await?;
    }
    let bucket = at.0.div_ceil(1000).max(now_s);
    let number = store.count_up(&counter(bucket)).await?;
    let mut pairs = vec![(entry(bucket, number), call.to_string())];
    let page = page(bucket);
    if store.get(&page).await?.is_none() {
        pairs.push((page, "1".to_owned()));
    }
    Ok(Slot {
        bucket,
        number,
        pairs,
    })
}

/// Makes sure that the entry now stored will be read.
pub(crate) async fn settle(store: &impl Store, call: CallId, slot: Slot) -> Result<(), Fault> {
    let mut bucket = slot.bucket;
    for _ in 0..3 {
        if mark(store).await?.is_none_or(|mark| mark <= bucket) {
            return Ok(());
        }
        let slot = reserve(store, call, Time(0)).await?;
        store.put(slot.pairs).await?;
        bucket = slot.bucket;
    }
    Err(Fault("the due-index is swept ahead of time".to_owned()))
}

/// Takes calls out whose time has come, at most `most`, each with a ticket for [`take_back`]. Those whose tickets do not
/// come back by `again` come again.
pub(crate) async fn give_out(
    store: &impl Store,
    most: usize,
    again: Time,
) -> Result<Vec<(CallId, String)>, Fault> {
    let found = sweep(store, most).await?;
    let mut given = Vec::new();
    let mut slots = Vec::new();
    // Sorted, so that what several entries need is stored once.
    let mut pairs = BTreeMap::new();
    for call in &found.calls {
        let mut slot = reserve(store, *call, again).await?;
        given.push((*call, format!("{}-{}", slot.bucket, slot.number)));
        pairs.extend(slot.pairs.drain(..));
        slots.push((*call, slot));
    }
    store.put(pairs.into_iter().collect()).await?;
    for (call, slot) in slots {
        settle(store, call, slot).await?;
    }
    store.delete(found.entries.clone()).await?;
    forget(store, &found).await?;
    Ok(given)
}

/// Takes a ticket back: its call was woken.
pub(crate) async fn take_back(store: &impl Store, call: CallId, ticket: &str) -> Result<(), Fault> {
    let place = ticket.split_once('-');
    let place =
        place.and_then(|(bucket, number)| Some((bucket.parse().ok()?, number.parse().ok()?)));
    let Some((bucket, number)) = place else {
        return Ok(());
    };
    let key = entry(bucket, number);
    match store.get(&key).await? {
        Some(stored) if stored == call.to_string() => store.delete(vec![key]).await,
        _ => Ok(()),
    }
}

/// Finds calls whose time has come, at most `most`.
async fn sweep(store: &impl Store, most: usize) -> Result<Sweep, Fault> {
    let Some(from) = mark(store).await? else {
        return Ok(Sweep::default());
    };
    let now_s = store.now().unix_s();
    let mut sweep = Sweep {
        mark: from,
        ..Sweep::default()
    };
    let mut in_page = None;
    for _ in 0..LOOKS {
        let bucket = sweep.mark;
        if bucket > now_s || sweep.calls.len() >= most {
            break;
        }
        if in_page != Some(bucket / PAGE) {
            in_page = Some(bucket / PAGE);
            if store.get(&page(bucket)).await?.is_none() {
                sweep.mark = (bucket / PAGE + 1) * PAGE;
                continue;
            }
        }
        if !read_bucket(store, bucket, most, &mut sweep).await? {
            break;
        }
        sweep.mark = bucket + 1;
    }
    sweep.mark = sweep.mark.min(now_s + 1);
    Ok(sweep)
}

/// Reads one bucket; false if `most` calls were found before its end.
async fn read_bucket(
    store: &impl Store,
    bucket: u64,
    most: usize,
    sweep: &mut Sweep,
) -> Result<bool, Fault> {
    let count = store.count(&counter(bucket)).await?;
    if count > 0 {
        sweep.used.push(bucket);
    }
    let mut from = 1;
    while from <= count {
        let keys: Vec<String> = (from..=count)
            .take(ENTRIES as usize)
            .map(|number| entry(bucket, number))
            .collect();
        let found = try_join_all(keys.iter().map(|key| store.get(key))).await?;
        for (key, value) in keys.into_iter().zip(found) {
            // A hole: woken already, or never stored.
            let Some(value) = value else { continue };
            let Some(call) = CallId::parse(&value) else {
                return Err(Fault(format!("{key} is no call id")));
            };
            if sweep.calls.len() >= most && !sweep.calls.contains(&call) {
                return Ok(false);
            }
            if !sweep.calls.contains(&call) {
                sweep.calls.push(call);
            }
            sweep.entries.push(key);
        }
        from += ENTRIES;
    }
    Ok(true)
}

/// Moves the mark, if it lags enough, and clears away the counters it leaves behind.
async fn forget(store: &impl Store, sweep: &Sweep) -> Result<(), Fault> {
    let now_s = store.now().unix_s();
    let to = sweep.mark.min(now_s.saturating_sub(GRACE_S));
    let Some(from) = mark(store).await? else {
        return Ok(());
    };
    if to < from + LAG_S {
        return Ok(());
    }
    store.put(vec![(MARK.to_owned(), to.to_string())]).await?;
    let done = sweep.used.iter().filter(|bucket| **bucket < to);
    let mut keys: Vec<String> = done.map(|bucket| counter(*bucket)).collect();
    keys.extend(
        (from / PAGE..to / PAGE)
            .take(8)
            .map(|number| page(number * PAGE)),
    );
    store.delete(keys).await
}

async fn mark(store: &impl Store) -> Result<Option<u64>, Fault> {
    let Some(text) = store.get(MARK).await? else {
        return Ok(None);
    };
    let mark = text.parse();
    mark.map(Some)
        .map_err(|_| Fault(format!("{MARK} is no number")))
}

fn counter(bucket: u64) -> String {
    format!("due/{bucket}")
}

fn entry(bucket: u64, number: u64) -> String {
    format!("due/{bucket}/{number}")
}

fn page(bucket: u64) -> String {
    format!("due/page/{}", bucket / PAGE)
}

#[cfg(test)]
mod tests;
