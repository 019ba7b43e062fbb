//! `status`: how a call went, in the words of the API it is read through, and how the deployment is.

use crate::access::{self, Caller};
use crate::ledger::{self, Standing};
use crate::reply::{self, Reply};
use crate::{Platform, join, schedule, settle, sids, store, tenants};
use calls::config::{Organization, Permission};
use calls::dialect::Details;
use calls::dialect::asisso::Asisso;
use calls::dialect::ringdown::{Ringdown, explain};
use calls::id::{CallId, MAX_RUN};
use calls::problem::Problem;
use calls::twilio::dial::is_sid;
use calls::voice::Kind;
use http::Request;
use serde_json::json;

/// How many of a tenant's organizations are asked at once for a call.
const AT_ONCE: usize = 25;

/// `GET /v1/calls/{id}`, `GET /api/v1/runs/{workflow_run_id}` and `GET /api/outbound/{id}/status`
pub(crate) async fn call(
    host: &impl Platform,
    dialect: &dyn Details,
    request: &Request<Vec<u8>>,
    asked: &str,
) -> Result<Reply, Problem> {
    let standing = asked_for(host, request, Permission::ReadCalls, asked).await?;
    let shown = dialect.show_call(&standing.record, &standing.call, host.now());
    Ok(reply::json_reply(200, &shown))
}

/// `GET /api/v1/workflow/{workflow_id}/runs/{workflow_run_id}`: the same run, if it is one of this workflow, which is
/// asisso's word for an agent. Any of the agent's names may say which: its id, its trigger's UUID, its integer.
pub(crate) async fn run(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    workflow: &str,
    asked: &str,
) -> Result<Reply, Problem> {
    let standing = asked_for(host, request, Permission::ReadCalls, asked).await?;
    let record = &standing.record;
    let named = record.agent.id == workflow || {
        let agent = store::agent_of(host, record).await?;
        agent.is_some_and(|agent| agent.names.names_workflow(workflow))
    };
    if !named {
        return Err(Problem::NoCall(asked.to_owned()));
    }
    let shown = Asisso { draft: false }.show_call(record, &standing.call, host.now());
    Ok(reply::json_reply(200, &shown))
}

/// `GET /v1/calls/{id}/events` and `GET /v1/calls/{id}/transcript`: one list of the call alone, always whole.
pub(crate) async fn part(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    asked: &str,
    list: &str,
) -> Result<Reply, Problem> {
    let standing = asked_for(host, request, Permission::ReadCalls, asked).await?;
    let shown = Ringdown.show_call(&standing.record, &standing.call, host.now());
    let whole = json!({ "data": shown[list], "has_more": false, "next_cursor": null });
    Ok(reply::json_reply(200, &whole))
}

/// `GET /v1/calls/{id}/explain`: what was checked, what happened, and why the call ended as it did.
pub(crate) async fn explain(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    asked: &str,
) -> Result<Reply, Problem> {
    let standing = asked_for(host, request, Permission::ReadCalls, asked).await?;
    let shown = explain::explain(&standing.record, &standing.call);
    Ok(reply::json_reply(200, &shown))
}

/// `POST /v1/calls/{id}/cancel`: a call that waits is not dialled, nor are the attempts after it.
pub(crate) async fn cancel(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    asked: &str,
) -> Result<Reply, Problem> {
    let standing = asked_for(host, request, Permission::CreateCalls, asked).await?;
    let standing = schedule::cancel(host, standing).await?;
    let shown = Ringdown.show_call(&standing.record, &standing.call, host.now());
    Ok(reply::json_reply(200, &shown))
}

/// `POST /v1/calls/{id}/hangup`: ends the call, whatever its state. 202: Twilio was asked to; 200: it has ended,
/// before or just now, and stays as it is.
pub(crate) async fn hang_up(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    asked: &str,
) -> Result<Reply, Problem> {
    let standing = asked_for(host, request, Permission::CreateCalls, asked).await?;
    let standing = settle::hang_up_for(host, standing).await?;
    let shown = Ringdown.show_call(&standing.record, &standing.call, host.now());
    let status = match standing.call.ended() {
        Some(_) => 200,
        None => 202,
    };
    Ok(reply::json_reply(status, &shown))
}

/// The call of this id, if whoever asks may see it and do this.
async fn asked_for(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    permission: Permission,
    asked: &str,
) -> Result<Standing, Problem> {
    let caller = access::caller(host, request.headers(), permission).await?;
    find_for(host, &caller, asked).await
}

/// The call of this id, if the caller may see it.
pub(crate) async fn find_for(
    host: &impl Platform,
    caller: &Caller,
    asked: &str,
) -> Result<Standing, Problem> {
    let tenant = match caller {
        Caller::Account(account) => return find(host, &account.organization, asked).await,
        Caller::Tenant { tenant, .. } => tenant,
    };
    let none = || Problem::NoCall(asked.to_owned());
    let found = match CallId::parse(asked) {
        Some(id) => ledger::read(host, id).await?.filter(is_call),
        // Run numbers and SIDs name calls of one organization; which, a tenant's key does not say.
        None => find_among(host, &tenants::organizations(host, tenant).await?, asked).await?,
    };
    let standing = found.ok_or_else(none)?;
    access::of_tenant(host, tenant, &standing.record.organization, none()).await?;
    Ok(standing)
}

/// The call of this name of one of the organizations.
async fn find_among(
    host: &impl Platform,
    organizations: &[Organization],
    asked: &str,
) -> Result<Option<Standing>, Problem> {
    for some in organizations.chunks(AT_ONCE) {
        let found = join::all(
            some.iter()
                .map(|organization| find(host, organization, asked)),
        );
        for found in found.await {
            match found {
                Err(Problem::NoCall(_)) => {}
                found => return found.map(Some),
            }
        }
    }
    Ok(None)
}

/// The organization's call of this id: our own, the run number asisso shows, or Twilio's SID. Another organization's does not exist.
pub(crate) async fn find(
    host: &impl Platform,
    organization: &Organization,
    asked: &str,
) -> Result<Standing, Problem> {
    let id = find_id(host, organization, asked).await?;
    let none = || Problem::NoCall(asked.to_owned());
    let found = ledger::read(host, id).await?.filter(is_call);
    found.ok_or_else(none)
}

/// A chat is no call, though it is stored as one.
fn is_call(standing: &Standing) -> bool {
    standing.record.kind != Kind::Chat
}

/// The id the organization's call of this name would have. Whether it was stored is another question.
async fn find_id(
    host: &impl Platform,
    organization: &Organization,
    asked: &str,
) -> Result<CallId, Problem> {
    let none = || Problem::NoCall(asked.to_owned());
    let key = host.settings().signing_key.expose().as_bytes();
    let id = match asked.parse::<u64>() {
        Ok(run) if run <= MAX_RUN => CallId::of_run(key, &organization.id, run),
        _ if is_sid(asked) => sids::call_of(host, organization, asked)
            .await?
            .ok_or_else(none)?,
        _ => CallId::parse(asked).ok_or_else(none)?,
    };
    // An id that was not made here for this organization needs no look-up.
    if CallId::of_run(key, &organization.id, id.run()) != id {
        return Err(none());
    }
    Ok(id)
}

/// `GET /health/live`: the code runs. No I/O.
pub(crate) fn live() -> Reply {
    reply::json_reply(200, &json!({ "status": "ok" }))
}

/// `GET /health/ready`: the store answers. Missing settings show before any route is reached.
pub(crate) async fn ready(host: &impl Platform) -> Result<Reply, Problem> {
    match host.get("health").await {
        Ok(_) => Ok(reply::json_reply(
            200,
            &json!({ "status": "ok", "store": "ok" }),
        )),
        Err(fault) => {
            let line = json!({ "level": "error", "message": "the store does not answer", "cause": fault.0 });
            host.log(&line.to_string());
            Ok(reply::json_reply(
                503,
                &json!({ "status": "unavailable", "store": "unavailable" }),
            ))
        }
    }
}

/// `GET /health/fleet`: how many calls the organization may still place at once.
pub(crate) async fn fleet(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
) -> Result<Reply, Problem> {
    let account = access::check(host, request.headers(), Permission::ReadCalls).await?;
    let limits = account.organization.limits(None);
    let seats = host.seats(&account.organization.id).await?;
    let now = host.now();
    let shown = json!({
        "status": "ok",
        "fleet_calls": seats.taken(now),
        "fleet_max": limits.seats,
        // For calls placed, at this moment: those that come in may take the reserve as well.
        "fleet_available": seats.available(&limits, now),
        // Each call has a container of its own; there are no standing workers to list.
        "workers": [],
    });
    Ok(reply::json_reply(200, &shown))
}
