//! Documents and series of organizations, accounts, tenants and calls: a document at `doc/{owner}/{name}`, changed by compare-and-swap;
//! a series counted at `series/{owner}/{name}`, with its entries at `series/{owner}/{name}/{number}`.
//!
//! A deleted document stays as an empty text: Spin's swap needs a value to compare with.

use crate::once;
use crate::store::{Changed, Store};
use functions::{Entries, Fault, Owner};
use futures::future::try_join_all;

/// The document, unless there is none or it was deleted.
pub(crate) async fn read(
    store: &impl Store,
    owner: &Owner,
    name: &str,
) -> Result<Option<String>, Fault> {
    let text = store.get(&document(owner, name)).await?;
    Ok(text.filter(|text| !text.is_empty()))
}

/// The documents of these names, in their order.
pub(crate) async fn read_all(
    store: &impl Store,
    owner: &Owner,
    names: &[String],
) -> Result<Vec<Option<String>>, Fault> {
    try_join_all(names.iter().map(|name| read(store, owner, name))).await
}

/// Makes those documents that are not there, all with one write: one by one they would keep a large list's other
/// writers waiting. Whoever makes one of them between look and write is not seen.
pub(crate) async fn fill(
    store: &impl Store,
    owner: &Owner,
    documents: &[(String, String)],
) -> Result<(), Fault> {
    let names: Vec<String> = documents.iter().map(|(name, _)| name.clone()).collect();
    let stand = read_all(store, owner, &names).await?;
    let missing = documents.iter().zip(stand).filter(|(_, it)| it.is_none());
    let missing = missing.map(|((name, text), _)| (document(owner, name), text.clone()));
    store.put(missing.collect()).await
}

/// Makes the document `to` if it is `was`; false if it is not.
pub(crate) async fn swap(
    store: &impl Store,
    owner: &Owner,
    name: &str,
    was: Option<&str>,
    to: Option<&str>,
) -> Result<bool, Fault> {
    let key = document(owner, name);
    let (was, to) = (was.unwrap_or_default(), to.unwrap_or_default());
    let mut as_expected = false;
    let changed = store
        .change(&key, |stands| {
            as_expected = stands == was;
            Ok(as_expected.then(|| to.to_owned()))
        })
        .await?;
    match changed {
        Changed::Done => Ok(as_expected),
        Changed::Lost => Ok(false),
        Changed::Missing if !was.is_empty() => Ok(false),
        Changed::Missing => match once::claim(store, &key).await? {
            Some(claim) => {
                claim.create(store, vec![(key, to.to_owned())]).await?;
                Ok(true)
            }
            None => Ok(false),
        },
    }
}

/// Adds entries and returns the number of the first. Ending between the two steps leaves numbers without entries.
pub(crate) async fn append(
    store: &impl Store,
    owner: &Owner,
    name: &str,
    texts: &[String],
) -> Result<u64, Fault> {
    let series = series(owner, name);
    let many = u32::try_from(texts.len()).map_err(|_| Fault("too many entries".to_owned()))?;
    let last = store.count_up_by(&series, many).await?;
    let first = last + 1 - u64::from(many);
    let entries = (first..).zip(texts);
    let entries = entries.map(|(number, text)| (format!("{series}/{number}"), text.clone()));
    store.put(entries.collect()).await?;
    Ok(first)
}

/// The newest entries up to number `upto`, newest first.
pub(crate) async fn entries(
    store: &impl Store,
    owner: &Owner,
    name: &str,
    upto: Option<u64>,
    most: usize,
) -> Result<Entries, Fault> {
    let series = series(owner, name);
    let last = store.count(&series).await?;
    let from = upto.map_or(last, |upto| upto.min(last));
    let numbers = (1..=from).rev().take(most);
    let reads = numbers.map(async |number| {
        let text = store.get(&format!("{series}/{number}")).await?;
        Ok::<_, Fault>(text.map(|text| (number, text)))
    });
    let found = try_join_all(reads).await?.into_iter().flatten().collect();
    Ok(Entries { last, found })
}

fn document(owner: &Owner, name: &str) -> String {
    format!("doc/{}/{name}", key(owner))
}

fn series(owner: &Owner, name: &str) -> String {
    format!("series/{}/{name}", key(owner))
}

fn key(owner: &Owner) -> String {
    match owner {
        Owner::Organization(id) => format!("organization/{id}"),
        Owner::Account(sid) => format!("account/{sid}"),
        Owner::Tenant(id) => format!("tenant/{id}"),
        Owner::Call(id) => format!("call/{id}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;

    fn demo() -> Owner {
        Owner::Organization("demo".to_owned())
    }

    #[test]
    fn a_document_is_created_changed_deleted_and_created_again() {
        let store = Memory::new(1);
        let owner = demo();
        let swap = |was, to| store.alone(swap(&store, &owner, "d", was, to)).unwrap();
        assert!(!swap(Some("a"), Some("b")));
        assert!(swap(None, Some("a")));
        assert!(!swap(None, Some("b")));
        assert!(!swap(Some("b"), Some("c")));
        assert!(swap(Some("a"), Some("b")));
        assert_eq!(
            store.alone(read(&store, &owner, "d")),
            Ok(Some("b".to_owned()))
        );
        assert!(swap(Some("b"), None));
        assert_eq!(store.alone(read(&store, &owner, "d")), Ok(None));
        assert!(swap(None, Some("a")));
    }

    #[test]
    fn what_is_there_is_not_filled_in() {
        let store = Memory::new(1);
        let owner = demo();
        let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        for (name, was, to) in [
            ("kept", None, Some("1")),
            ("gone", None, Some("1")),
            ("gone", Some("1"), None),
        ] {
            assert_eq!(store.alone(swap(&store, &owner, name, was, to)), Ok(true));
        }
        let before = store.operations.get();
        let some = [pair("kept", "2"), pair("gone", "2"), pair("new", "2")];
        store.alone(fill(&store, &owner, &some)).unwrap();
        // A look at each, and one write.
        assert_eq!(store.operations.get() - before, 4);
        let names = ["kept", "gone", "new", "none"].map(str::to_owned);
        let read = store.alone(read_all(&store, &owner, &names)).unwrap();
        let texts: Vec<Option<&str>> = read.iter().map(Option::as_deref).collect();
        assert_eq!(texts, [Some("1"), Some("2"), Some("2"), None]);
    }

    #[test]
    fn entries_added_together_stand_together() {
        let store = Memory::new(1);
        let owner = demo();
        let add = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            store.alone(append(&store, &owner, "s", &texts)).unwrap()
        };
        assert_eq!((add(&["a"]), add(&["b", "c", "d"]), add(&["e"])), (1, 2, 5));
        let all = store.alone(entries(&store, &owner, "s", None, 9)).unwrap();
        let texts: Vec<&str> = all.found.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["e", "d", "c", "b", "a"]);
    }

    #[test]
    fn of_many_who_swap_at_once_one_does() {
        for seed in 0..100 {
            let store = Memory::new(seed);
            let owner = demo();
            for was in [None, Some("0")] {
                let swappers = (0..6)
                    .map(|number: usize| {
                        let (store, owner) = (&store, &owner);
                        Box::pin(async move {
                            let to = if was.is_none() { 0 } else { number + 1 }.to_string();
                            swap(store, owner, "d", was, Some(&to)).await
                        }) as _
                    })
                    .collect();
                let swapped = store.run(swappers, &[]);
                let count = swapped.iter().filter(|got| **got == Some(Ok(true))).count();
                assert_eq!(count, 1, "seed {seed}, from {was:?}: {swapped:?}");
            }
        }
    }

    #[test]
    fn a_series_numbers_its_entries_and_is_read_from_its_end() {
        for seed in 0..20 {
            let store = Memory::new(seed);
            let owner = demo();
            let appenders = (0..7)
                .map(|number: usize| {
                    let (store, owner) = (&store, &owner);
                    Box::pin(async move { append(store, owner, "s", &[number.to_string()]).await })
                        as _
                })
                .collect();
            // The first ends between counting and storing.
            let numbers = store.run(appenders, &[(0, 3)]);
            let read = |upto, most| {
                store
                    .alone(entries(&store, &owner, "s", upto, most))
                    .unwrap()
            };
            let all = read(None, 100);
            assert_eq!((all.last, all.found.len()), (7, 6), "seed {seed}");
            for (text, number) in numbers.iter().enumerate().skip(1) {
                let Some(Ok(number)) = number else {
                    panic!("seed {seed}: {numbers:?}")
                };
                assert!(all.found.contains(&(*number, text.to_string())));
            }
            assert!(all.found.is_sorted_by(|a, b| a.0 > b.0));
            assert!(
                read(Some(3), 2)
                    .found
                    .iter()
                    .all(|(n, _)| [2, 3].contains(n))
            );
            assert_eq!(read(Some(0), 2).found, []);
        }
    }
}
