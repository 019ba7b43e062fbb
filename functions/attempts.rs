//! The cap on dial attempts to one number: each is counted right before it is made, once, and never more than may be.

use crate::{Fault, Owner, Platform, documents};
use calls::attempts::Attempts;
use calls::config::Organization;
use calls::id::CallId;
use calls::record::Record;
use calls::time::Time;

/// The attempts of the last day as they stand.
pub(crate) async fn of(
    host: &impl Platform,
    organization: &str,
    number: &str,
) -> Result<Attempts, Fault> {
    documents::read(host, &owner(organization), &name(number)).await
}

/// Counts the call's attempt; if there were as many as may be, says when the next is allowed. Where there is no cap,
/// nothing is counted.
pub(crate) async fn count(
    host: &impl Platform,
    organization: &Organization,
    id: CallId,
    record: &Record,
) -> Result<Result<(), Time>, Fault> {
    let Some(most) = organization.attempts_per_day else {
        return Ok(Ok(()));
    };
    let now = host.now();
    let counted = |attempts: &mut Attempts| attempts.add(&id.to_string(), most, now);
    let name = name(&record.to);
    documents::change(host, &owner(&organization.id), &name, counted).await
}

/// Counts the call's attempt no longer, for it was refused before any phone could ring.
pub(crate) async fn take_back(
    host: &impl Platform,
    organization: &Organization,
    id: CallId,
    record: &Record,
) -> Result<(), Fault> {
    if organization.attempts_per_day.is_none() {
        return Ok(());
    }
    let taken = |attempts: &mut Attempts| attempts.take_back(&id.to_string());
    let name = name(&record.to);
    documents::change(host, &owner(&organization.id), &name, taken).await
}

fn owner(organization: &str) -> Owner {
    Owner::Organization(organization.to_owned())
}

fn name(number: &str) -> String {
    format!("attempts/{number}")
}
