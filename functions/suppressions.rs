//! The suppression list: numbers an organization does not call, whoever put them there. A number counts from the moment
//! its document is written, for every gate that is asked after that.

use crate::reply::{self, Reply};
use crate::{Fault, Owner, Platform, access, body};
use calls::config::{Organization, Permission, VERSION};
use calls::dialect::ringdown::Ringdown;
use calls::problem::Problem;
use calls::record::Record;
use calls::suppression::{SERIES, Source, Suppression};
use calls::time::Time;
use calls::voice::{Kind, OptOut};
use http::Request;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use validation::{Country, Fields, Phone, query};

/// The largest page, and the usual one.
const LARGEST: usize = 100;
/// How many entries one request looks at, for most of a page may have been taken off the list.
const LOOKED_AT: usize = 1_000;
/// The longest reason, in characters.
const LONGEST_REASON: usize = 255;

/// The number's suppression, if it stands.
pub(crate) async fn of(
    host: &impl Platform,
    organization: &str,
    number: &str,
) -> Result<Option<Suppression>, Fault> {
    let owner = Owner::Organization(organization.to_owned());
    let text = host
        .document(&owner, &Suppression::document(number))
        .await?;
    text.map(|text| parse(&text)).transpose()
}

/// Puts the number on the list; false if it stands there already, which is then left as it is.
pub(crate) async fn add(
    host: &impl Platform,
    organization: &str,
    mut wanted: Suppression,
) -> Result<(Suppression, bool), Fault> {
    if let Some(known) = of(host, organization, &wanted.number).await? {
        return Ok((known, false));
    }
    let owner = Owner::Organization(organization.to_owned());
    // Entered first: a number that counts is always found in the list. An entry nothing points at is passed over.
    let entry = [wanted.number.clone()];
    wanted.listed = host.append(&owner, SERIES, &entry).await?;
    let text = serde_json::to_string(&wanted).map_err(|error| Fault(error.to_string()))?;
    let name = Suppression::document(&wanted.number);
    if host.swap(&owner, &name, None, Some(&text)).await? {
        return Ok((wanted, true));
    }
    // Somebody else was faster. That it was taken off again since is as good as afterwards.
    let known = of(host, organization, &wanted.number).await?;
    Ok((known.unwrap_or(wanted), false))
}

/// Puts all of them on the list, as [`add`] does, with a few requests however many they are.
pub(crate) async fn add_all(
    host: &impl Platform,
    organization: &str,
    wanted: Vec<Suppression>,
) -> Result<(), Fault> {
    let owner = Owner::Organization(organization.to_owned());
    // Of a number that stands in it twice, the first counts.
    let mut seen = BTreeSet::new();
    let mut wanted = wanted;
    wanted.retain(|suppression| seen.insert(suppression.number.clone()));
    let name = |wanted: &Suppression| Suppression::document(&wanted.number);
    let names: Vec<String> = wanted.iter().map(name).collect();
    let mut known = host.documents(&owner, &names).await?.into_iter();
    wanted.retain(|_| known.next().flatten().is_none());
    if wanted.is_empty() {
        return Ok(());
    }
    let numbers: Vec<String> = wanted.iter().map(|wanted| wanted.number.clone()).collect();
    let first = host.append(&owner, SERIES, &numbers).await?;
    let mut texts = Vec::with_capacity(wanted.len());
    for (listed, wanted) in (first..).zip(&mut wanted) {
        wanted.listed = listed;
        let text = serde_json::to_string(wanted).map_err(|error| Fault(error.to_string()))?;
        texts.push((name(wanted), text));
    }
    // Whoever puts one of them on the list at this moment does the same.
    host.fill(&owner, &texts).await
}

/// A number that somebody wants on the list now.
pub(crate) fn wanted(host: &impl Platform, number: &str, source: Source) -> Suppression {
    Suppression {
        v: VERSION,
        number: number.to_owned(),
        reason: None,
        source,
        call: None,
        at: host.now(),
        listed: 0,
    }
}

/// The person of this call does not want to be called again: whom we called, or who called through a dialler. Somebody
/// who writes in a chat has no number.
pub(crate) async fn opt_out(
    host: &impl Platform,
    record: &Record,
    at: Time,
    by: OptOut,
) -> Result<(), Fault> {
    let number = match record.kind {
        Kind::Phone => &record.to,
        Kind::Dialler => &record.from,
        Kind::Chat => return Ok(()),
    };
    let Ok(number) = Phone::parse(number, None) else {
        return Ok(());
    };
    let source = match by {
        OptOut::Key => Source::Key,
        OptOut::Agent => Source::Agent,
    };
    let wanted = Suppression {
        call: Some(record.id.clone()),
        at,
        ..wanted(host, number.as_str(), source)
    };
    add(host, &record.organization, wanted).await.map(|_| ())
}

/// `POST /v1/suppressions` `{"number","reason"?}`: 201, or 200 where the number was on the list already.
pub(crate) async fn create(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
) -> Result<Reply, Problem> {
    let account = access::check(host, request.headers(), Permission::CreateCalls).await?;
    let asked = body::object(&Ringdown, request)?;
    let mut fields = Fields::lenient(&asked);
    let number = fields.required_text("number");
    let reason = fields.text_up_to("reason", LONGEST_REASON);
    fields.done().map_err(Problem::Invalid)?;
    let organization = &account.organization;
    let number = read(organization, &number)?;
    let wanted = Suppression {
        reason,
        ..wanted(host, number.as_str(), Source::Api)
    };
    let (stands, new) = add(host, &organization.id, wanted).await?;
    let status = if new { 201 } else { 200 };
    Ok(reply::json_reply(status, &stands.show()))
}

/// `GET /v1/suppressions?limit=&cursor=`: newest first.
pub(crate) async fn list(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
) -> Result<Reply, Problem> {
    let account = access::check(host, request.headers(), Permission::ReadCalls).await?;
    let asked = query::read(request.uri().query().unwrap_or_default()).map_err(Problem::Invalid)?;
    let mut fields = Fields::lenient(&asked);
    let limit = fields.integer_within("limit", 1, LARGEST as i64);
    let upto = fields.integer_within("cursor", 1, i64::MAX);
    fields.done().map_err(Problem::Invalid)?;
    let limit = limit.map_or(LARGEST, |limit| limit as usize);
    let upto = upto.map(i64::unsigned_abs);
    let (found, next) = page(host, &account.organization.id, upto, limit).await?;
    let shown = json!({
        "data": found.iter().map(Suppression::show).collect::<Vec<Value>>(),
        "has_more": next.is_some(),
        "next_cursor": next.map(|next| next.to_string()),
    });
    Ok(reply::json_reply(200, &shown))
}

/// `GET /v1/suppressions/{number}`
pub(crate) async fn one(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    number: &str,
) -> Result<Reply, Problem> {
    let account = access::check(host, request.headers(), Permission::ReadCalls).await?;
    let number = in_path(&account.organization, number)?;
    let found = of(host, &account.organization.id, number.as_str()).await?;
    let found = found.ok_or(Problem::NoSuppression)?;
    Ok(reply::json_reply(200, &found.show()))
}

/// `DELETE /v1/suppressions/{number}`: the number may be called again.
pub(crate) async fn delete(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    number: &str,
) -> Result<Reply, Problem> {
    let account = access::check(host, request.headers(), Permission::CreateCalls).await?;
    let number = in_path(&account.organization, number)?;
    let owner = Owner::Organization(account.organization.id.clone());
    let name = Suppression::document(number.as_str());
    let stands = host.document(&owner, &name).await?;
    let stands = stands.ok_or(Problem::NoSuppression)?;
    match host.swap(&owner, &name, Some(&stands), None).await? {
        true => Ok(reply::empty(204)),
        // It was taken off meanwhile.
        false => Err(Problem::NoSuppression),
    }
}

/// Everything on the list, newest first: for an export.
pub(crate) async fn all(
    host: &impl Platform,
    organization: &str,
) -> Result<Vec<Suppression>, Fault> {
    let mut all = Vec::new();
    let mut upto = None;
    loop {
        let (found, next) = page(host, organization, upto, LARGEST).await?;
        all.extend(found);
        match next {
            Some(next) => upto = Some(next),
            None => return Ok(all),
        }
    }
}

/// What stands among the entries from number `upto` down, and the number to go on from.
async fn page(
    host: &impl Platform,
    organization: &str,
    mut upto: Option<u64>,
    most: usize,
) -> Result<(Vec<Suppression>, Option<u64>), Fault> {
    let owner = Owner::Organization(organization.to_owned());
    let mut found = Vec::new();
    for _ in 0..LOOKED_AT / LARGEST {
        let entries = host.entries(&owner, SERIES, upto, LARGEST).await?;
        let from = upto.map_or(entries.last, |upto| upto.min(entries.last));
        let names = entries.found.iter();
        let names: Vec<String> = names
            .map(|(_, number)| Suppression::document(number))
            .collect();
        let stands = host.documents(&owner, &names).await?;
        for ((listed, _), stands) in entries.found.into_iter().zip(stands) {
            // Taken off, or on the list by a later entry.
            let stands = stands.map(|text| parse(&text)).transpose()?;
            let Some(stands) = stands.filter(|stands| stands.listed == listed) else {
                continue;
            };
            if found.len() == most {
                return Ok((found, Some(listed)));
            }
            found.push(stands);
        }
        match from.checked_sub(LARGEST as u64) {
            Some(rest) if rest > 0 => upto = Some(rest),
            _ => return Ok((found, None)),
        }
    }
    Ok((found, upto))
}

fn read(organization: &Organization, number: &str) -> Result<Phone, Problem> {
    let home = organization.country.as_deref().and_then(Country::parse);
    Phone::parse(number, home).map_err(|why| Problem::InvalidNumber("number".to_owned(), why))
}

/// A number in a path, its `+` written out or as `%2B`.
fn in_path(organization: &Organization, number: &str) -> Result<Phone, Problem> {
    read(
        organization,
        &number.replace("%2B", "+").replace("%2b", "+"),
    )
}

fn parse(text: &str) -> Result<Suppression, Fault> {
    serde_json::from_str(text)
        .map_err(|error| Fault(format!("a suppression does not read: {error}")))
}
