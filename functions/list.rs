//! The organization's list of calls: entering a call, and reading the list newest first.

use crate::ledger::{self, Standing};
use crate::reply::{self, Reply};
use crate::{Fault, Owner, Platform, access, join};
use calls::config::Permission;
use calls::dialect::Details;
use calls::dialect::ringdown::Ringdown;
use calls::id::CallId;
use calls::list::{Asked, Entry, SERIES, cursor};
use calls::problem::Problem;
use calls::record::Record;
use http::Request;
use serde_json::{Value, json};
use validation::Country;

/// How many entries one request looks at, and how many calls it reads, at most.
const ENTRIES: u64 = 1_000;
const CALLS: usize = 200;
/// How many entries a search looks at in one go.
const STRETCH: usize = 100;
/// How many entries are looked at for one that tells the time: one may be missing.
const FEW: usize = 4;
/// How many calls a search reads at once.
const AT_ONCE: usize = 25;

/// Enters a call that is about to be stored and returns its number in the list. A call that then is not stored leaves
/// an entry that is passed over when the list is read.
pub(crate) async fn enter(host: &impl Platform, id: CallId, record: &Record) -> Result<u64, Fault> {
    let entry = serde_json::to_string(&Entry::of(id, record))
        .map_err(|error| Fault(format!("an entry does not write: {error}")))?;
    let owner = Owner::Organization(record.organization.clone());
    host.append(&owner, SERIES, &[entry]).await
}

/// `GET /v1/calls`: newest first, filtered, a page at a time.
pub(crate) async fn calls(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
) -> Result<Reply, Problem> {
    let account = access::check(host, request.headers(), Permission::ReadCalls).await?;
    let organization = &account.organization;
    let home = organization.country.as_deref().and_then(Country::parse);
    let query = request.uri().query().unwrap_or_default();
    let asked = Asked::read(query, home).map_err(Problem::Invalid)?;
    let page = search(host, &organization.id, &asked).await?;
    let now = host.now();
    let shown: Vec<Value> = page
        .calls
        .iter()
        .map(|standing| Ringdown.show_call(&standing.record, &standing.call, now))
        .collect();
    let shown = json!({
        "data": shown,
        "has_more": page.next.is_some(),
        "next_cursor": page.next.map(cursor),
    });
    Ok(reply::json_reply(200, &shown))
}

/// The newest calls of the organization that have ended, at most `most`.
pub(crate) async fn ended(
    host: &impl Platform,
    organization: &str,
    most: usize,
) -> Result<Vec<Standing>, Problem> {
    let asked = Asked::read(&format!("status=ended&limit={most}"), None);
    let page = search(host, organization, &asked.map_err(Problem::Invalid)?).await?;
    Ok(page.calls)
}

/// A page of the list, and the number of the entry the next one begins with.
struct Page {
    calls: Vec<Standing>,
    next: Option<u64>,
}

/// Reads on until the page is full, the list ends, or one request has done its share of work.
async fn search(host: &impl Platform, organization: &str, asked: &Asked) -> Result<Page, Fault> {
    let owner = Owner::Organization(organization.to_owned());
    // Nothing is left out when nothing is filtered: one call more than the page holds tells whether there are more.
    let stretch = match asked.filter.is_open() {
        true => asked.limit + 1,
        false => STRETCH,
    };
    let mut calls = Vec::new();
    let mut upto = asked.upto;
    if asked.filter.ends() {
        upto = Some(behind(host, &owner, asked).await?);
    }
    let (mut looked_at, mut read) = (0, 0);
    loop {
        let entries = host.entries(&owner, SERIES, upto, stretch).await?;
        let newest = upto.unwrap_or(u64::MAX).min(entries.last);
        let mut entries = readable(entries.found);
        let past = entries.iter().any(|(_, entry)| asked.filter.is_past(entry));
        entries.retain(|(_, entry)| asked.filter.may_want(entry));
        for some in entries.chunks((asked.limit + 1).max(AT_ONCE)) {
            if read >= CALLS {
                let next = some.first().map(|(number, _)| *number);
                return Ok(Page { calls, next });
            }
            read += some.len();
            let standings = join::all(
                some.iter()
                    .map(|(number, entry)| listed(host, *number, entry)),
            );
            for ((number, _), standing) in some.iter().zip(standings.await) {
                let wanted = |it: &Standing| asked.filter.wants(&it.record, &it.call);
                let Some(standing) = standing?.filter(wanted) else {
                    continue;
                };
                if calls.len() == asked.limit {
                    return Ok(Page {
                        calls,
                        next: Some(*number),
                    });
                }
                calls.push(standing);
            }
        }
        let next = newest.saturating_sub(stretch as u64);
        if next == 0 || past {
            return Ok(Page { calls, next: None });
        }
        looked_at += stretch as u64;
        if looked_at >= ENTRIES {
            return Ok(Page {
                calls,
                next: Some(next),
            });
        }
        upto = Some(next);
    }
}

/// The number of an entry with nothing wanted before it, near to the newest that may be wanted: entries stand in the
/// order of their times, so that halving finds it.
async fn behind(host: &impl Platform, owner: &Owner, asked: &Asked) -> Result<u64, Fault> {
    let newest = host.entries(owner, SERIES, asked.upto, 1).await?.last;
    let (mut wanted, mut ahead) = (0, asked.upto.unwrap_or(u64::MAX).min(newest));
    while ahead - wanted > STRETCH as u64 {
        let middle = wanted + (ahead - wanted) / 2;
        let some = host.entries(owner, SERIES, Some(middle), FEW).await?.found;
        let entries = readable(some);
        match entries.first() {
            Some((_, entry)) if asked.filter.is_ahead(entry) => ahead = middle,
            _ => wanted = middle,
        }
    }
    Ok(ahead)
}

/// Entries with their numbers. One of a form this version does not know is left for the version that does.
pub(crate) fn readable(found: Vec<(u64, String)>) -> Vec<(u64, Entry)> {
    let entries = found.into_iter();
    entries
        .filter_map(|(number, text)| Some((number, serde_json::from_str(&text).ok()?)))
        .collect()
}

/// The call an entry stands for, if it was stored and is listed by this entry.
pub(crate) async fn listed(
    host: &impl Platform,
    number: u64,
    entry: &Entry,
) -> Result<Option<Standing>, Fault> {
    let Some(id) = CallId::parse(&entry.id) else {
        return Ok(None);
    };
    let standing = ledger::read(host, id).await?;
    Ok(standing.filter(|standing| entry.lists(number, &standing.record)))
}
