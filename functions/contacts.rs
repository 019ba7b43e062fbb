//! An organization's contacts: the people its programs had called by name, one for each number.

use crate::{Fault, Owner, Platform, documents};
use calls::config::VERSION;
use calls::record::{Contact, Record};
use serde::{Deserialize, Serialize};

/// A contact as it is kept.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    v: u32,
    id: String,
    name: Option<String>,
}

/// The person at this number, as far as the organization's contacts are concerned.
pub(crate) fn of(host: &impl Platform, organization: &str, number: &str) -> Contact {
    let key = host.settings().signing_key.expose().as_bytes();
    Contact::of(key, organization, number)
}

/// Enters the person a placed call is for. A name given with the call replaces the one known.
pub(crate) async fn enter(host: &impl Platform, record: &Record) -> Result<(), Fault> {
    change(host, record, |contact, kept| {
        kept.name = contact.name.clone().or(kept.name.take());
    })
    .await
}

/// The same, long after: placing was cut short before the contact was entered. What is known since then stays.
pub(crate) async fn enter_late(host: &impl Platform, record: &Record) -> Result<(), Fault> {
    change(host, record, |contact, kept| {
        if kept.v == 0 {
            kept.name.clone_from(&contact.name);
        }
    })
    .await
}

async fn change(
    host: &impl Platform,
    record: &Record,
    mut alter: impl FnMut(&Contact, &mut Kept),
) -> Result<(), Fault> {
    let Some(contact) = record.contact.as_ref().filter(|contact| contact.entered) else {
        return Ok(());
    };
    let owner = Owner::Organization(record.organization.clone());
    documents::change(host, &owner, &format!("contact/{}", record.to), |kept| {
        alter(contact, kept);
        kept.v = VERSION;
        kept.id.clone_from(&contact.id);
    })
    .await
}
