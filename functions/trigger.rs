//! `trigger`: call an agent by the id its trigger has in the path.

use crate::reply::Reply;
use crate::{Platform, access, body, idempotency, place};
use calls::config::Permission;
use calls::dialect::Dialect;
use calls::problem::Problem;
use http::Request;

pub(crate) async fn trigger(
    host: &impl Platform,
    dialect: &'static dyn Dialect,
    request: &Request<Vec<u8>>,
    uuid: &str,
) -> Result<Reply, Problem> {
    let caller = access::caller(host, request.headers(), Permission::CreateCalls).await?;
    let asked = body::object(dialect, request)?;
    let wanted = dialect.read_call(uuid, &asked)?;
    let intent = idempotency::intent(request, dialect, &wanted, &asked)?;
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
