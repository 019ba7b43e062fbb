//! The list of an organization's calls: one short entry for each, numbered in the order they were placed.

use crate::id::CallId;
use crate::record::Record;
use crate::time::Time;
use serde::{Deserialize, Serialize};

/// The series of an organization that holds the entries.
pub const SERIES: &str = "calls";

/// What can be filtered by without reading the call itself. Written before the call exists, so that no call is missing
/// from the list; whether it came to exist, and under which number it is listed, its record says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub v: u32,
    pub id: String,
    pub created_at: Time,
    /// The agent's id.
    pub agent: String,
    pub to: String,
    /// `live` or `draft`.
    pub mode: String,
    pub external_id: Option<String>,
}

impl Entry {
    pub fn of(id: CallId, record: &Record) -> Entry {
        Entry {
            v: record.v,
            id: id.to_string(),
            created_at: record.created_at,
            agent: record.agent.id.clone(),
            to: record.to.clone(),
            mode: record.mode.clone(),
            external_id: record.external_id.clone(),
        }
    }

    /// Whether the call of this record is listed by this entry, the one of this number. An idempotency key sent twice
    /// at once enters its call twice; the record names the entry that counts.
    pub fn lists(&self, number: u64, record: &Record) -> bool {
        record.id == self.id && record.listed == number
    }
}
