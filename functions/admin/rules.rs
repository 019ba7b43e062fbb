//! The parts of an import that say whom an organization may call: its limits, hours, countries, and its suppression list.

use super::check::said;
use super::lines::{AgentLine, Line, OrganizationLine, SuppressionLine, of_suppression};
use crate::{Fault, Platform, suppressions};
use calls::config::{Agent, Organization, VERSION};
use calls::rules::CallingWindow;
use calls::suppression::Suppression;
use serde_json::json;
use validation::zone::Zone;
use validation::{Country, Phone, region};

/// The longest time in which like requests can be one call, in seconds.
const LONGEST_DEDUPE_S: u32 = 86_400;
/// The longest name of a variable, and the longest reason, in characters.
const LONGEST: usize = 255;

pub(super) fn check_organization(line: &OrganizationLine) -> Result<(), String> {
    if line.inbound_reserve > line.seats {
        return Err("inbound_reserve must be no more than seats".to_owned());
    }
    check_count("calls_per_second", line.calls_per_second, 1_000)?;
    check_count("attempts_per_day", line.attempts_per_day, 10_000)?;
    check_window(line.calling_window.as_ref())?;
    for code in line.allowed_countries.iter().flatten() {
        if !region::is_country(code) {
            return Err(format!(
                "allowed_countries: {code} is no ISO 3166 code of a country"
            ));
        }
    }
    Ok(())
}

pub(super) fn check_agent(line: &AgentLine) -> Result<(), String> {
    check_count("seats", line.seats, 10_000)?;
    check_count("dedupe_s", line.dedupe_s, LONGEST_DEDUPE_S)?;
    check_window(line.calling_window.as_ref())?;
    match &line.timezone_variable {
        Some(name) if name.is_empty() || name.chars().count() > LONGEST => Err(format!(
            "timezone_variable must be between 1 and {LONGEST} characters"
        )),
        _ => Ok(()),
    }
}

fn check_count(name: &str, count: Option<u32>, most: u32) -> Result<(), String> {
    match count {
        Some(count) if !(1..=most).contains(&count) => {
            Err(format!("{name} must be between 1 and {most}"))
        }
        _ => Ok(()),
    }
}

fn check_window(window: Option<&CallingWindow>) -> Result<(), String> {
    let (Some(window), Some(utc)) = (window, Zone::parse("UTC")) else {
        return Ok(());
    };
    let read = window.in_zones(&[utc]);
    read.map_err(|issues| format!("calling_window: {}", said(&issues)))?;
    Ok(())
}

/// A number for the suppression list of an organization.
pub(super) fn suppression(
    host: &impl Platform,
    line: SuppressionLine,
    organization: &Organization,
) -> Result<Suppression, String> {
    let home = organization.country.as_deref().and_then(Country::parse);
    let number =
        Phone::parse(&line.number, home).map_err(|why| format!("number {}", why.text()))?;
    if line
        .reason
        .as_ref()
        .is_some_and(|reason| reason.chars().count() > LONGEST)
    {
        return Err(format!("reason must be at most {LONGEST} characters"));
    }
    Ok(Suppression {
        v: VERSION,
        number: number.as_str().to_owned(),
        reason: line.reason,
        source: line.source,
        call: line.call_id,
        at: line.at.unwrap_or_else(|| host.now()),
        listed: 0,
    })
}

/// An organization's suppression list as lines, oldest first.
pub(super) async fn of_list(host: &impl Platform, organization: &str) -> Result<Vec<Line>, Fault> {
    let all = suppressions::all(host, organization).await?;
    let lines = all.into_iter().rev();
    Ok(lines
        .map(|suppression| of_suppression(organization, suppression))
        .collect())
}

/// Says in the log which rules of an import are looser than those that hold where nothing is set.
pub(super) fn note_loosened(
    host: &impl Platform,
    organizations: &[Organization],
    agents: &[Agent],
) {
    let organizations = organizations
        .iter()
        .map(|organization| ("organization", &organization.id, organization.loosened()));
    let agents = agents
        .iter()
        .map(|agent| ("agent", &agent.id, agent.loosened()));
    for (kind, id, rules) in organizations.chain(agents) {
        if !rules.is_empty() {
            let line = json!({
                "level": "warn", "message": "rules looser than the usual ones were imported",
                kind: id, "rules": rules,
            });
            host.log(&line.to_string());
        }
    }
}
