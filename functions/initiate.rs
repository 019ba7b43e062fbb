//! `initiate`: place a call for a program that names the agent in the body.

use crate::reply::Reply;
use crate::{Platform, access, body, idempotency, place};
use calls::config::Permission;
use calls::dialect::Dialect;
use calls::problem::Problem;
use http::Request;

/// `category`: the one the key must have, where the API asks for one.
pub(crate) async fn initiate(
    host: &impl Platform,
    dialect: &'static dyn Dialect,
    request: &Request<Vec<u8>>,
    category: Option<&str>,
) -> Result<Reply, Problem> {
    let caller = access::caller(host, request.headers(), Permission::CreateCalls).await?;
    if let Some(category) = category {
        caller.need_category(category)?;
    }
    let asked = body::object(request)?;
    let intent = idempotency::intent(request, &asked)?;
    let wanted = dialect.read_call("", &asked)?;
    let account = caller.with_agent(host, &wanted.agent).await?;
    let placed = place::place(
        host,
        dialect,
        &account.organization,
        wanted,
        intent.as_ref(),
    )
    .await?;
    Ok(place::show(dialect, &placed))
}
