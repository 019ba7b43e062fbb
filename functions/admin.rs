//! Configuration as code: `POST /v1/admin/import` and `GET /v1/admin/export`, one JSON object a line (NDJSON).
//! An import is checked whole before anything is written; what an export shows, any deployment with the same
//! `ENCRYPTION_KEY` imports.

mod agents;
mod check;
mod crm;
mod keys;
mod lines;
mod organizations;
mod rules;
mod webhooks;

use crate::reply::{self, Reply};
use crate::store::{self, PREFIXES};
use crate::{Fault, Platform, access, account, body, suppressions, tenants};
use calls::config::{Agent, Key, Organization};
use calls::problem::Problem;
use check::{Checked, Plan};
use http::Request;
use lines::{Line, Numbered};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_json::json;

/// `POST /v1/admin/import`: every line replaces what stands under its id; what is not named stays.
pub(crate) async fn import(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
) -> Result<Reply, Problem> {
    access::administrator(host, request.headers())?;
    let (lines, unread) = read(body::lines(request)?);
    let plan = Plan::load(host, &lines).await?;
    let checked = check::check(host, lines, plan, unread).map_err(Problem::Invalid)?;
    let counts = json!({
        "organizations": checked.organizations.len(),
        "telephony_configurations": checked.telephony,
        "numbers": checked.numbers,
        "agents": checked.agents.len(),
        "keys": checked.keys.len(),
        "suppressions": checked.suppressions.values().map(Vec::len).sum::<usize>(),
        "webhooks": webhooks::count(&checked.webhooks),
    });
    rules::note_loosened(host, &checked.organizations, &checked.agents);
    write(host, checked).await?;
    Ok(reply::json_reply(200, &json!({ "imported": counts })))
}

/// Each line's number and what it says, and what is wrong with the lines that do not read.
fn read(text: &str) -> (Numbered<Line>, Numbered<String>) {
    let mut lines = Vec::new();
    let mut issues = Vec::new();
    for (index, text) in text
        .lines()
        .enumerate()
        .filter(|(_, text)| !text.trim().is_empty())
    {
        match body::strict::parse(text).and_then(serde_json::from_value) {
            Ok(line) => lines.push((index + 1, line)),
            Err(error) => {
                // serde_json counts lines within this one; its position would mislead.
                let said = match error.classify() {
                    Category::Syntax | Category::Eof => "is not valid JSON".to_owned(),
                    Category::Data | Category::Io => error.to_string(),
                };
                let said = said.split(" at line ").next().unwrap_or_default();
                issues.push((index + 1, said.to_owned()));
            }
        }
    }
    if lines.is_empty() && issues.is_empty() {
        issues.push((1, "holds nothing".to_owned()));
    }
    (lines, issues)
}

async fn write(host: &impl Platform, checked: Checked) -> Result<(), Fault> {
    for organization in &checked.organizations {
        store::write(
            host,
            &store::organization_name(&organization.id),
            organization,
        )
        .await?;
    }
    for agent in &checked.agents {
        store::write(host, &store::agent_name(&agent.id), agent).await?;
    }
    tenants::note(host, &checked.organizations).await?;
    webhooks::write(host, &checked.webhooks).await?;
    account::note_agents(host, &checked.agents).await?;
    for (name, agent) in &checked.names {
        host.put(name, agent).await?;
    }
    for name in &checked.gone {
        host.delete(name).await?;
    }
    for (organization, suppressions) in checked.suppressions {
        suppressions::add_all(host, &organization, suppressions).await?;
    }
    // Last, so that nothing can be used before what it uses is there.
    for (sha256, key) in &checked.keys {
        store::write(host, &store::key_by_hash(sha256), key).await?;
    }
    Ok(())
}

/// `GET /v1/admin/export`
pub(crate) async fn export(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
) -> Result<Reply, Problem> {
    access::administrator(host, request.headers())?;
    let mut text = String::new();
    for prefix in PREFIXES {
        for name in host.keys(prefix).await? {
            let Some(stored) = host.get(&name).await? else {
                continue;
            };
            let id = &name[prefix.len()..];
            let lines = match prefix {
                "organization/" => {
                    let organization = parse::<Organization>(&name, &stored)?;
                    let webhooks = webhooks::lines(host, &organization.id).await?;
                    let suppressions = rules::of_list(host, &organization.id).await?;
                    let mut lines = lines::of_organization(organization);
                    lines.extend(webhooks);
                    lines.extend(suppressions);
                    lines
                }
                "agent/" => vec![lines::of_agent(parse::<Agent>(&name, &stored)?)],
                "key/" => vec![lines::of_key(id, parse::<Key>(&name, &stored)?)],
                _ => Vec::new(),
            };
            for line in lines {
                let line =
                    serde_json::to_string(&line).map_err(|error| Fault(error.to_string()))?;
                text.push_str(&line);
                text.push('\n');
            }
        }
    }
    Ok(reply::with_type(200, "application/x-ndjson", text))
}

fn parse<T: DeserializeOwned>(name: &str, stored: &str) -> Result<T, Fault> {
    serde_json::from_str(stored).map_err(|error| Fault(format!("{name} does not read: {error}")))
}
