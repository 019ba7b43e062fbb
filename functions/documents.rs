//! Documents: JSON texts of an organization or a call that many requests change, each time by compare-and-swap.

use crate::{Fault, Owner, Platform};
use calls::config::VERSION;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How often a change is tried while others get in its way.
const TRIES: u32 = 100;

/// The document as it stands; its default if there is none.
pub(crate) async fn read<D: Default + DeserializeOwned>(
    host: &impl Platform,
    owner: &Owner,
    name: &str,
) -> Result<D, Fault> {
    parse(name, host.document(owner, name).await?.as_deref())
}

/// Lets `change` alter the document, again as long as others alter it meanwhile, and returns what it said last.
/// A document that is left as it was is not written. After a fault the change may have been made: `change` must bear
/// being made twice.
pub(crate) async fn change<D: Default + Serialize + DeserializeOwned, T>(
    host: &impl Platform,
    owner: &Owner,
    name: &str,
    mut change: impl FnMut(&mut D) -> T,
) -> Result<T, Fault> {
    for attempt in 0..TRIES {
        let was = host.document(owner, name).await?;
        let mut document: D = parse(name, was.as_deref())?;
        let said = change(&mut document);
        let to = serde_json::to_string(&document)
            .map_err(|error| Fault(format!("document {name} does not write: {error}")))?;
        if was.as_ref() == Some(&to) || host.swap(owner, name, was.as_deref(), Some(&to)).await? {
            return Ok(said);
        }
        let most = u64::from(attempt.min(15) + 1) * 2;
        host.pause(1 + u64::from(host.random()[0]) % most).await;
    }
    Err(Fault(format!("document {name} is too busy")))
}

/// A document that names things which are stored elsewhere and not searched there.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ids {
    v: u32,
    pub(crate) ids: BTreeSet<String>,
}

/// Adds ids to the documents of this name, each to that of its owner.
pub(crate) async fn note_ids(
    host: &impl Platform,
    name: &str,
    ids: impl IntoIterator<Item = (Owner, String)>,
) -> Result<(), Fault> {
    let mut by_owner: BTreeMap<Owner, Vec<String>> = BTreeMap::new();
    for (owner, id) in ids {
        by_owner.entry(owner).or_default().push(id);
    }
    for (owner, ids) in by_owner {
        change(host, &owner, name, |known: &mut Ids| {
            known.v = VERSION;
            known.ids.extend(ids.iter().cloned());
        })
        .await?;
    }
    Ok(())
}

fn parse<D: Default + DeserializeOwned>(name: &str, text: Option<&str>) -> Result<D, Fault> {
    text.map_or_else(
        || Ok(D::default()),
        |text| {
            serde_json::from_str(text)
                .map_err(|error| Fault(format!("document {name} does not read: {error}")))
        },
    )
}
