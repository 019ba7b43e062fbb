//! What a key opens: whose it is, and the agents, numbers and telephony configurations to choose from. No secrets.

use crate::access::{self, Account, Caller};
use crate::documents::{self, Ids};
use crate::reply::{self, Reply};
use crate::{Fault, Owner, Platform, join, store};
use calls::config::{Agent, Permission};
use calls::dialect::AgentName;
use calls::list::{cursor_after, read_cursor_after};
use calls::problem::Problem;
use http::Request;
use serde_json::{Value, json};
use std::ops::Bound;
use validation::{Fields, query};

/// The largest page of agents, and the usual one.
const LARGEST: usize = 100;

/// The organization's document that names its agents: configuration is stored by agent, and is not searched.
const AGENTS: &str = "agents";

/// `GET /v1/me`: whose key this is, for the connection tests of no-code tools.
pub(crate) async fn me(host: &impl Platform, request: &Request<Vec<u8>>) -> Result<Reply, Problem> {
    let caller = access::caller(host, request.headers(), Permission::ReadCalls).await?;
    let key = caller.key();
    let mut shown = json!({
        "key": {
            "name": key.name,
            "category": key.category,
            "permissions": key.permissions,
            "expires_at": key.expires_at.map(|at| at.rfc3339()),
        },
    });
    match &caller {
        Caller::Account(account) => {
            let organization = &account.organization;
            shown["organization"] = json!({
                "id": organization.id,
                "name": organization.name,
                "country": organization.country,
                "seats": organization.seats,
                "default_telephony_configuration_id": organization.default_telephony,
            });
        }
        Caller::Tenant { tenant, .. } => shown["tenant"] = json!({ "id": tenant }),
    }
    Ok(reply::json_reply(200, &shown))
}

/// `GET /v1/agents`, by id: the ids by which the APIs call each, and whether it can be called.
pub(crate) async fn agents(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
) -> Result<Reply, Problem> {
    let account = access::check(host, request.headers(), Permission::ReadCalls).await?;
    let (limit, after) = page(request)?;
    let owner = owner(&account);
    let known: Ids = documents::read(host, &owner, AGENTS).await?;
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let mut ids = known.ids.range((from, Bound::Unbounded));
    let some: Vec<&String> = ids.by_ref().take(limit).collect();
    let has_more = ids.next().is_some();
    let agents = join::all(
        some.iter()
            .map(async |id| store::agent(host, &AgentName::Id((*id).clone())).await),
    );
    let mut data = Vec::new();
    for agent in agents.await {
        data.extend(
            agent?
                .filter(|agent| agent.organization.as_ref() == Some(&account.organization.id))
                .map(|agent| show(&agent)),
        );
    }
    let next = some.last().filter(|_| has_more);
    let next = next.map(|id| cursor_after(id));
    let shown = json!({ "data": data, "has_more": has_more, "next_cursor": next });
    Ok(reply::json_reply(200, &shown))
}

/// `GET /v1/numbers`: the numbers to call from.
pub(crate) async fn numbers(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
) -> Result<Reply, Problem> {
    let account = access::check(host, request.headers(), Permission::ReadCalls).await?;
    let numbers = account.organization.numbers.iter().map(|number| {
        json!({
            "id": number.id,
            "number": number.number,
            "telephony_configuration_id": number.telephony,
        })
    });
    Ok(whole(numbers.collect()))
}

/// `GET /v1/telephony-configurations`
pub(crate) async fn telephony(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
) -> Result<Reply, Problem> {
    let account = access::check(host, request.headers(), Permission::ReadCalls).await?;
    let organization = &account.organization;
    let configurations = organization.telephony.iter().map(|telephony| {
        json!({
            "id": telephony.id,
            "name": telephony.name,
            "provider": "twilio",
            "account_sid": telephony.account_sid,
            "is_default": organization.default_telephony == Some(telephony.id),
        })
    });
    Ok(whole(configurations.collect()))
}

/// Notes that these agents are their organizations', so that they are listed.
pub(crate) async fn note_agents(host: &impl Platform, agents: &[Agent]) -> Result<(), Fault> {
    let ids = agents.iter().filter_map(|agent| {
        let organization = agent.organization.clone()?;
        Some((Owner::Organization(organization), agent.id.clone()))
    });
    documents::note_ids(host, AGENTS, ids).await
}

/// `limit` and `cursor` of the query, which holds the last id of the page before.
fn page(request: &Request<Vec<u8>>) -> Result<(usize, Option<String>), Problem> {
    let query = request.uri().query().unwrap_or_default();
    let query = query::read(query).map_err(Problem::Invalid)?;
    let mut fields = Fields::lenient(&query);
    let limit = fields.integer_within("limit", 1, LARGEST as i64);
    let after = fields.word("cursor", read_cursor_after, "a cursor of this list");
    fields.done().map_err(Problem::Invalid)?;
    Ok((limit.map_or(LARGEST, |limit| limit as usize), after))
}

/// A list that is always shown whole, as any other list.
fn whole(data: Vec<Value>) -> Reply {
    let shown = json!({ "data": data, "has_more": false, "next_cursor": null });
    reply::json_reply(200, &shown)
}

fn show(agent: &Agent) -> Value {
    json!({
        "id": agent.id,
        "name": agent.name,
        "active": agent.active,
        "published": agent.published.is_some(),
        "draft": agent.draft.is_some(),
        "trigger": agent.names.trigger,
        "bot_id": agent.names.bot,
        "integer_id": agent.names.integer,
        "assistant_id": agent.names.assistant,
    })
}

fn owner(account: &Account) -> Owner {
    Owner::Organization(account.organization.id.clone())
}
