//! voicing's reads: one call, a page of all calls, several calls by their ids.

use crate::access::{self, Account, Caller};
use crate::ledger::Standing;
use crate::reply::{self, Reply};
use crate::{Fault, Owner, Platform, body, documents, join, list, status};
use calls::config::{Permission, REST_APIS};
use calls::dialect::Details;
use calls::dialect::voicing::{self, Voicing};
use calls::list::SERIES;
use calls::problem::Problem;
use calls::secret;
use calls::time::Time;
use http::Request;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How long after a page was read the pages behind it still count from the same newest call, in seconds.
const PAGES_STAND_S: u64 = 900;
/// How many calls are read at once.
const AT_ONCE: usize = 25;

/// `GET /api/v1/campaigns/get-call-details`: one call if one is named, in the path or as `call_id`, else a page of all.
pub(crate) async fn call_details(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    in_path: Option<&str>,
) -> Result<Reply, Problem> {
    let caller = access::caller(host, request.headers(), Permission::ReadCalls).await?;
    caller.need_category(REST_APIS)?;
    let query = request.uri().query().unwrap_or_default();
    let asked = match in_path {
        Some(id) => Some(id.to_owned()),
        // `…/get-call-details/` is one call's path with its id left empty.
        None if query.is_empty() && request.uri().path().ends_with('/') => {
            voicing::call_id("call_id=").map_err(Problem::Invalid)?
        }
        None => voicing::call_id(query).map_err(Problem::Invalid)?,
    };
    let shown = match asked {
        Some(id) => {
            let standing = status::find_for(host, &caller, &id).await?;
            Voicing.show_call(&standing.record, &standing.call, host.now())
        }
        None => {
            let page = voicing::Page::read(query).map_err(Problem::Invalid)?;
            match &caller {
                Caller::Account(account) => listed(host, request, account, page).await?,
                // A tenant's key opens no single organization's list.
                Caller::Tenant { .. } => return Err(Problem::NotAllowed),
            }
        }
    };
    Ok(reply::json_reply(200, &shown))
}

/// The newest call's number when somebody began to read pages of one size, and until when it counts.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Top {
    v: u32,
    number: u64,
    until: Time,
}

/// One page of all calls, newest first. The first page notes where it begins, and the pages behind it count from there,
/// so that a call placed meanwhile moves none of them.
async fn listed(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    account: &Account,
    page: voicing::Page,
) -> Result<Value, Fault> {
    let owner = Owner::Organization(account.organization.id.clone());
    // Whoever reads with another key, or in pages of another size, has pages of their own.
    let reader = access::api_key(request.headers()).unwrap_or_default();
    let name = format!(
        "page/{}/{}",
        secret::sha256_hex(reader.as_bytes()),
        page.limit
    );
    let last = host.entries(&owner, SERIES, None, 1).await?.last;
    let now = host.now();
    let top = documents::change(host, &owner, &name, |top: &mut Top| {
        if page.number == 1 || top.until < now {
            top.number = last;
        }
        top.v = calls::config::VERSION;
        top.until = now.plus_s(PAGES_STAND_S);
        top.number
    })
    .await?;
    let before = (page.number - 1).saturating_mul(page.limit);
    let upto = top.saturating_sub(before);
    let entries = match upto {
        0 => Vec::new(),
        upto => {
            let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
            let entries = host.entries(&owner, SERIES, Some(upto), limit).await?;
            list::readable(entries.found)
        }
    };
    let mut data = Vec::new();
    for some in entries.chunks(AT_ONCE) {
        let standings = join::all(
            some.iter()
                .map(|(number, entry)| list::listed(host, *number, entry)),
        );
        for standing in standings.await {
            data.extend(standing?.map(|standing| shown(&standing, now)));
        }
    }
    Ok(json!({
        "success": true,
        "data": data,
        "page": page.number,
        "limit": page.limit,
        "total": top,
        "has_more": upto > page.limit,
    }))
}

/// `POST /api/v1/campaigns/get-call-details/bulk-by-ids`: in the order asked for, each under the id it was asked by.
pub(crate) async fn by_ids(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
) -> Result<Reply, Problem> {
    let caller = access::caller(host, request.headers(), Permission::ReadCalls).await?;
    caller.need_category(REST_APIS)?;
    let ids = voicing::call_ids(&body::object(&Voicing, request)?).map_err(Problem::Invalid)?;
    let (mut data, mut not_found) = (Vec::new(), Vec::new());
    for some in ids.chunks(AT_ONCE) {
        let found = join::all(some.iter().map(|id| by_id(host, &caller, id)));
        for (id, standing) in some.iter().zip(found.await) {
            match standing? {
                Some(standing) => {
                    let mut call = shown(&standing, host.now());
                    call["call_id"] = id.clone();
                    data.push(call);
                }
                None => not_found.push(id.clone()),
            }
        }
    }
    let shown = json!({ "success": true, "data": data, "not_found": not_found });
    Ok(reply::json_reply(200, &shown))
}

async fn by_id(
    host: &impl Platform,
    caller: &Caller,
    id: &Value,
) -> Result<Option<Standing>, Problem> {
    let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    match status::find_for(host, caller, &id).await {
        Ok(standing) => Ok(Some(standing)),
        Err(Problem::NoCall(_)) => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// A call as one of several.
fn shown(standing: &Standing, now: Time) -> Value {
    let mut call = Voicing.show_call(&standing.record, &standing.call, now);
    if let Some(call) = call.as_object_mut() {
        call.shift_remove("success");
    }
    call
}
