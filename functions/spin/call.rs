//! One call's facts: the record at `call/{id}`, each event at `call/{id}/{name}`.

use crate::store::{Changed, Store};
use crate::{due, once};
use calls::event::NAMES;
use calls::id::CallId;
use calls::time::Time;
use functions::{Facts, Fault, Opened};
use futures::future::try_join_all;

/// How many lines of a conversation are asked for at once.
const LINES: usize = 8;
/// Events that others act on as soon as they read them: of these the first stays, whoever else brings one. They are stored
/// empty with the record, for Spin's swap needs a value to compare with.
const DECIDED: [&str; 3] = ["ended", "next-attempt", "chain-ended"];
/// How often a swap is tried: a second one finds what got in the way of the first.
const TRIES: u32 = 5;
/// The event that carries the whole transcript: after it the single lines need no reading.
const WITH_TRANSCRIPT: &str = "voice-ended";

/// Stores the record under a new id, with its first wake-up.
///
/// The wake-up is stored with the record, at once where the store can, and before it is seen: a call without a
/// deadline would never end, a wake-up without a call does nothing.
pub(crate) async fn open(
    store: &impl Store,
    call: CallId,
    record: &str,
    wake_at: Time,
) -> Result<Opened, Fault> {
    let key = record_key(call);
    let Some(claim) = once::claim(store, &key).await? else {
        return Ok(Opened::Exists);
    };
    let mut slot = due::reserve(store, call, wake_at).await?;
    let mut pairs = std::mem::take(&mut slot.pairs);
    pairs.push((key, record.to_owned()));
    pairs.extend(DECIDED.map(|name| (event_key(call, name), String::new())));
    claim.create(store, pairs).await?;
    due::settle(store, call, slot).await?;
    Ok(Opened::Created)
}

/// Stores the events that are not there yet, and then reads: of two who each store a fact and look for the other's, one
/// at least finds it.
///
/// Two requests that bring the same event together may both store it: the same fact, so either may stay. What is
/// [`DECIDED`] is so once.
pub(crate) async fn add(
    store: &impl Store,
    call: CallId,
    events: &[(String, String)],
) -> Result<Option<Facts>, Fault> {
    if store.get(&record_key(call)).await?.is_none() {
        return Ok(None);
    }
    let names = events.iter().map(|(name, _)| name.clone());
    let known = get_all(store, call, names).await?;
    let mut decided = Vec::new();
    let mut pairs: Vec<(String, String)> = Vec::new();
    for (name, text) in events {
        let key = event_key(call, name);
        let there = known.iter().any(|(known, _)| known == name)
            || pairs.iter().any(|(stored, _)| *stored == key);
        match DECIDED.contains(&name.as_str()) {
            _ if there => {}
            true => decided.push((key, text.clone())),
            false => pairs.push((key, text.clone())),
        }
    }
    store.put(pairs).await?;
    for (key, text) in decided {
        decide(store, &key, &text).await?;
    }
    read(store, call).await
}

/// Stores the event unless it is there.
async fn decide(store: &impl Store, key: &str, text: &str) -> Result<(), Fault> {
    for _ in 0..TRIES {
        let undecided = |stands: &str| Ok(stands.is_empty().then(|| text.to_owned()));
        match store.change(key, undecided).await? {
            Changed::Done => return Ok(()),
            Changed::Lost => {}
            // A call that an earlier version stored.
            Changed::Missing => {
                return match once::claim(store, key).await? {
                    Some(claim) => {
                        let pair = (key.to_owned(), text.to_owned());
                        claim.create(store, vec![pair]).await
                    }
                    None => Ok(()),
                };
            }
        }
    }
    Err(Fault(format!("{key} changes all the time")))
}

/// Reads the record and every event: one request to the store for each name, all under way at once.
pub(crate) async fn read(store: &impl Store, call: CallId) -> Result<Option<Facts>, Fault> {
    let Some(record) = store.get(&record_key(call)).await? else {
        return Ok(None);
    };
    let names = NAMES.iter().map(|name| (*name).to_owned());
    let mut events = get_all(store, call, names).await?;
    if !events.iter().any(|(name, _)| name == WITH_TRANSCRIPT) {
        let mut from = 0;
        loop {
            let names = (from..from + LINES).map(|index| format!("line-{index}"));
            let lines = get_all(store, call, names).await?;
            let all = lines.len() == LINES;
            events.extend(lines);
            if !all {
                break;
            }
            from += LINES;
        }
    }
    Ok(Some(Facts { record, events }))
}

/// The record and those of these events that are there.
pub(crate) async fn read_some(
    store: &impl Store,
    call: CallId,
    names: &[&str],
) -> Result<Option<Facts>, Fault> {
    let Some(record) = store.get(&record_key(call)).await? else {
        return Ok(None);
    };
    let names = names.iter().map(|name| (*name).to_owned());
    let events = get_all(store, call, names).await?;
    Ok(Some(Facts { record, events }))
}

/// Those of the events that are there.
async fn get_all(
    store: &impl Store,
    call: CallId,
    names: impl Iterator<Item = String>,
) -> Result<Vec<(String, String)>, Fault> {
    let reads = names.map(async |name| {
        let text = store.get(&event_key(call, &name)).await?;
        Ok::<_, Fault>(
            text.filter(|text| !text.is_empty())
                .map(|text| (name, text)),
        )
    });
    Ok(try_join_all(reads).await?.into_iter().flatten().collect())
}

fn record_key(call: CallId) -> String {
    format!("call/{call}")
}

fn event_key(call: CallId, name: &str) -> String {
    format!("call/{call}/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Memory, call};
    use std::task::{Context, Waker};

    fn event(name: &str, text: &str) -> (String, String) {
        (name.to_owned(), text.to_owned())
    }

    #[test]
    fn one_of_many_opens_a_call() {
        for seed in 0..100 {
            let store = Memory::new(seed);
            let at = store.now().plus_s(60);
            let openers = (0..6)
                .map(|_| {
                    let store = &store;
                    Box::pin(async move { open(store, call(1), "record", at).await }) as _
                })
                .collect();
            let opened = store.run(openers, &[]);
            let created = opened
                .iter()
                .filter(|got| **got == Some(Ok(Opened::Created)));
            assert_eq!(created.count(), 1, "seed {seed}");
            assert!(opened.iter().all(|got| matches!(got, Some(Ok(_)))));
        }
    }

    #[test]
    fn an_opened_call_is_always_woken() {
        for operation in 1..12 {
            let store = Memory::new(operation as u64);
            let at = store.now().plus_s(1);
            store.run(
                vec![Box::pin(open(&store, call(1), "record", at))],
                &[(0, operation)],
            );
            let there = store.alone(read(&store, call(1))).unwrap().is_some();
            store.now_ms.set(store.now_ms.get() + 5_000);
            let due = store.alone(due::give_out(&store, 10, at)).unwrap();
            let calls: Vec<_> = due.into_iter().map(|(call, _)| call).collect();
            assert!(
                !there || calls == [call(1)],
                "ended after operation {operation}"
            );
        }
    }

    #[test]
    fn the_first_of_each_event_stays() {
        let store = Memory::new(1);
        assert_eq!(store.alone(add(&store, call(1), &[])), Ok(None));
        let at = store.now();
        store.alone(open(&store, call(1), "record", at)).unwrap();
        let first = [event("dialled", "1"), event("line-0", "a")];
        store.alone(add(&store, call(1), &first)).unwrap();
        let facts = store.alone(add(
            &store,
            call(1),
            &[event("dialled", "2"), event("ended", "3")],
        ));
        let facts = facts.unwrap().unwrap();
        assert_eq!(facts.record, "record");
        let mut events = facts.events;
        events.sort();
        let mut read = store.alone(read(&store, call(1))).unwrap().unwrap().events;
        read.sort();
        assert_eq!(events, read);
        assert_eq!(
            events,
            [
                event("dialled", "1"),
                event("ended", "3"),
                event("line-0", "a")
            ]
        );
    }

    /// Another brings a verdict of its own between any two operations of the first, and acts on the one it reads: that
    /// stays, and the first reads it too.
    #[test]
    fn of_two_verdicts_the_first_stays() {
        for (name, operations) in DECIDED
            .iter()
            .flat_map(|name| (1..8).map(move |n| (name, n)))
        {
            let store = Memory::new(1);
            let at = store.now();
            store.alone(open(&store, call(1), "record", at)).unwrap();
            let (mine, theirs) = ([event(name, "busy")], [event(name, "lost")]);
            let mut first = Box::pin(add(&store, call(1), &mine));
            for _ in 0..operations {
                let mut context = Context::from_waker(Waker::noop());
                assert!(first.as_mut().poll(&mut context).is_pending());
            }
            let other = store.alone(add(&store, call(1), &theirs));
            let first = store.alone(first);
            let stays = store.alone(read(&store, call(1)));
            assert_eq!((&other, &first), (&stays, &stays), "{name}, {operations}");
        }
    }

    /// A call stored before its decisions had a place of their own.
    #[test]
    fn an_older_call_ends_too() {
        let store = Memory::new(1);
        let key = (record_key(call(1)), "record".to_owned());
        store.alone(store.put(vec![key])).unwrap();
        for text in ["busy", "lost"] {
            let added = store.alone(add(&store, call(1), &[event("ended", text)]));
            assert_eq!(added.unwrap().unwrap().events, [event("ended", "busy")]);
        }
    }

    #[test]
    fn of_two_who_look_for_each_other_one_finds_the_other() {
        for seed in 0..200 {
            let store = Memory::new(seed);
            let at = store.now();
            store.alone(open(&store, call(1), "record", at)).unwrap();
            let adders = ["hangup-asked", "dialled"].map(|name| {
                let store = &store;
                Box::pin(async move { add(store, call(1), &[event(name, "1")]).await }) as _
            });
            let found = store.run(adders.into_iter().collect(), &[]);
            let both = found.iter().flatten().filter(|found| {
                let facts: &Result<Option<Facts>, Fault> = found;
                matches!(facts, Ok(Some(facts)) if facts.events.len() == 2)
            });
            assert!(both.count() >= 1, "seed {seed}");
        }
    }

    #[test]
    fn some_events_are_read_alone() {
        let store = Memory::new(1);
        assert_eq!(
            store.alone(read_some(&store, call(1), &["ended"])),
            Ok(None)
        );
        let at = store.now();
        store.alone(open(&store, call(1), "record", at)).unwrap();
        let all = [event("dialled", "1"), event("ended", "2")];
        store.alone(add(&store, call(1), &all)).unwrap();
        let before = store.operations.get();
        let facts = store.alone(read_some(&store, call(1), &["ended"]));
        assert_eq!(store.operations.get() - before, 2);
        assert_eq!(facts.unwrap().unwrap().events, [event("ended", "2")]);
    }

    #[test]
    fn lines_are_read_until_the_transcript_is_there() {
        let store = Memory::new(1);
        let at = store.now();
        store.alone(open(&store, call(1), "record", at)).unwrap();
        let lines: Vec<_> = (0..19)
            .map(|index| event(&format!("line-{index}"), "a"))
            .collect();
        let facts = store.alone(add(&store, call(1), &lines)).unwrap().unwrap();
        assert_eq!(facts.events.len(), 19);
        assert_eq!(
            store
                .alone(read(&store, call(1)))
                .unwrap()
                .unwrap()
                .events
                .len(),
            19
        );
        store
            .alone(add(&store, call(1), &[event("voice-ended", "all")]))
            .unwrap();
        assert_eq!(
            store
                .alone(read(&store, call(1)))
                .unwrap()
                .unwrap()
                .events
                .len(),
            1
        );
        store
            .alone(add(&store, call(1), &[event("line-0", "b")]))
            .unwrap();
        assert_eq!(store.values.borrow()[&event_key(call(1), "line-0")], "a");
    }
}
