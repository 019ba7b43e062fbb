//! The organization's list of calls: entering a call.

use crate::{Fault, Owner, Platform};
use calls::id::CallId;
use calls::list::{Entry, SERIES};
use calls::record::Record;

/// Enters a call that is about to be stored and returns its number in the list. A call that then is not stored leaves
/// an entry that is passed over when the list is read.
pub(crate) async fn enter(host: &impl Platform, id: CallId, record: &Record) -> Result<u64, Fault> {
    let entry = serde_json::to_string(&Entry::of(id, record))
        .map_err(|error| Fault(format!("an entry does not write: {error}")))?;
    let owner = Owner::Organization(record.organization.clone());
    host.append(&owner, SERIES, &entry).await
}
