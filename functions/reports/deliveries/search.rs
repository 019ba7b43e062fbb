//! Finding deliveries in the list of a webhook. What a list cannot tell, each call's outbox does.

use super::{AT_ONCE, outbox};
use crate::{Fault, Owner, Platform, join};
use calls::id::CallId;
use calls::list::{TIME, read_cursor, time};
use calls::report::outbox::Delivery;
use calls::report::webhooks::{Entry, series};
use calls::time::Time;
use validation::Fields;

/// How many entries one request looks at, at most.
const LOOKED_AT: usize = 500;

/// Deliveries of a webhook, newest first.
pub(super) struct Page {
    /// Each with its number.
    pub(super) found: Vec<(u64, CallId, Delivery)>,
    /// The number the next page begins with.
    pub(super) next: Option<u64>,
}

/// Which deliveries of a webhook are meant.
pub(super) struct Wanted {
    state: Option<&'static str>,
    /// From this time on …
    from: Option<Time>,
    /// … and before this one.
    before: Option<Time>,
    /// Entries of this number and older ones.
    upto: Option<u64>,
}

impl Wanted {
    pub(super) fn read(fields: &mut Fields<'_>, state: Option<&'static str>) -> Wanted {
        Wanted {
            state,
            from: fields.word("created_from", time, TIME),
            before: fields.word("created_before", time, TIME),
            upto: fields.word("cursor", read_cursor, "a cursor of this list"),
        }
    }

    fn wants(&self, delivery: &Delivery) -> bool {
        self.state
            .is_none_or(|state| delivery.state.word() == state)
            && self.from.is_none_or(|from| from <= delivery.created_at)
            && self
                .before
                .is_none_or(|before| delivery.created_at < before)
    }
}

/// Reads on until `most` are found, the list ends, or one request has done its share of work.
pub(super) async fn search(
    host: &impl Platform,
    organization: &str,
    webhook: &str,
    wanted: &Wanted,
    most: usize,
) -> Result<Page, Fault> {
    let owner = Owner::Organization(organization.to_owned());
    let mut found = Vec::new();
    let (mut upto, mut looked_at) = (wanted.upto, 0);
    loop {
        let entries = host
            .entries(&owner, &series(webhook), upto, AT_ONCE)
            .await?;
        let newest = upto.unwrap_or(u64::MAX).min(entries.last);
        let entries = entries.found.iter();
        let listed = join::all(entries.map(|(number, text)| listed(host, *number, text)));
        let mut past = false;
        for one in listed.await {
            let Some(one) = one? else { continue };
            past |= wanted.from.is_some_and(|from| one.2.created_at < from);
            if !wanted.wants(&one.2) {
                continue;
            }
            if found.len() == most {
                let next = Some(one.0);
                return Ok(Page { found, next });
            }
            found.push(one);
        }
        looked_at += AT_ONCE;
        let next = Some(newest.saturating_sub(AT_ONCE as u64)).filter(|next| *next > 0 && !past);
        if next.is_none() || looked_at >= LOOKED_AT {
            return Ok(Page { found, next });
        }
        upto = next;
    }
}

/// The delivery an entry stands for, if it is the entry that counts.
async fn listed(
    host: &impl Platform,
    number: u64,
    text: &str,
) -> Result<Option<(u64, CallId, Delivery)>, Fault> {
    // An entry of a form this version does not know is left for the version that does.
    let Ok(entry) = serde_json::from_str::<Entry>(text) else {
        return Ok(None);
    };
    let Some(id) = CallId::parse(&entry.call) else {
        return Ok(None);
    };
    let outbox = outbox(host, id).await?;
    let counts = |delivery: &&Delivery| delivery.listed == Some(number);
    let delivery = outbox.delivery(&entry.delivery).filter(counts);
    Ok(delivery.map(|delivery| (number, id, delivery.clone())))
}
