//! `initiate`: place a call for a program that names the agent in the body.

use crate::reply::Reply;
use crate::{Platform, access, body, dry_run, idempotency, place};
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
    let mut asked = body::object(dialect, request)?;
    dry_run::from_query(request, &mut asked)?;
    let wanted = dialect.read_call("", &asked)?;
    let intent = idempotency::intent(request, dialect, &wanted, &asked)?;
    let account = caller.with_agent(host, &wanted.agent).await?;
    if wanted.dry_run {
        return dry_run::dry_run(host, dialect, &account.organization, wanted).await;
    }
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
