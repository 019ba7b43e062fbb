//! Checks an import whole: what each line says, and what the lines say of each other and of what is stored.

use super::lines::{AgentLine, Line, Numbered};
use super::organizations::{add_number, add_telephony, organization};
use super::webhooks::{self, AllImported};
use super::{agents, keys, rules};
use crate::{Fault, Platform, store};
use calls::config::{Agent, Key, Opens, Organization};
use calls::dialect::AgentName;
use calls::suppression::Suppression;
use std::collections::{BTreeMap, BTreeSet};
use validation::{Issue, Rule, is_uuid};

/// What an import starts from: the stored documents its lines touch.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) organizations: BTreeMap<String, Organization>,
    pub(super) agents: BTreeMap<String, Agent>,
    /// Who holds each name an agent line claims.
    pub(super) holders: BTreeMap<String, String>,
    /// What stored keys that key lines name open, by SHA-256.
    pub(super) keys: BTreeMap<String, Opens>,
}

/// What is to be written.
#[derive(Default)]
pub(super) struct Checked {
    pub(super) organizations: Vec<Organization>,
    pub(super) agents: Vec<Agent>,
    /// Where a name is stored, and the agent's id.
    pub(super) names: Vec<(String, String)>,
    /// Names that agents have no longer.
    pub(super) gone: Vec<String>,
    /// How many telephony configurations and numbers of the organizations were named.
    pub(super) telephony: usize,
    pub(super) numbers: usize,
    /// By organization, the numbers it is not to call.
    pub(super) suppressions: BTreeMap<String, Vec<Suppression>>,
    /// SHA-256 and key.
    pub(super) keys: Vec<(String, Key)>,
    pub(super) webhooks: AllImported,
}

impl Plan {
    pub(super) async fn load(host: &impl Platform, lines: &[(usize, Line)]) -> Result<Plan, Fault> {
        let mut plan = Plan::default();
        let mut asked = BTreeSet::new();
        for (_, line) in lines {
            let organization = match line {
                Line::Organization(line) => Some(&line.id),
                Line::TelephonyConfiguration(line) => Some(&line.organization),
                Line::Number(line) => Some(&line.organization),
                Line::Agent(line) => line.organization.as_ref(),
                Line::Key(line) => line.organization.as_ref(),
                Line::Webhook(line) => Some(&line.organization),
                Line::CallbackSecret(line) => Some(&line.organization),
                Line::Suppression(line) => Some(&line.organization),
            };
            if let Some(id) = organization.filter(|id| is_slug(id) && asked.insert(*id))
                && let Some(stored) = store::organization(host, id).await?
            {
                plan.organizations.insert(id.clone(), stored);
            }
            match line {
                Line::Agent(line) if is_slug(&line.id) => plan.load_agent(host, line).await?,
                Line::Key(line) => {
                    if let Ok(sha256) = keys::hash(line)
                        && let Some(key) = store::key_of_hash(host, &sha256).await?
                    {
                        plan.keys.insert(sha256, key.opens);
                    }
                }
                _ => {}
            }
        }
        Ok(plan)
    }

    async fn load_agent(&mut self, host: &impl Platform, line: &AgentLine) -> Result<(), Fault> {
        if let Some(stored) = store::agent(host, &AgentName::Id(line.id.clone())).await? {
            self.agents.insert(line.id.clone(), stored);
        }
        for name in agents::stored_names(&agents::names(line)) {
            if let Some(holder) = host.get(&name).await? {
                self.holders.insert(name, holder);
            }
        }
        Ok(())
    }
}

/// All issues in the order of lines, those found before among them, or everything ready to be written.
pub(super) fn check(
    host: &impl Platform,
    lines: Numbered<Line>,
    mut plan: Plan,
    mut issues: Numbered<String>,
) -> Result<Checked, Vec<Issue>> {
    let mut touched = BTreeSet::new();
    let mut checked = Checked::default();
    let mut refuse = |line: usize, why: String| issues.push((line, why));

    // Organizations first, whatever the order of lines: the others refer to them.
    for (number, line) in &lines {
        if let Line::Organization(line) = line {
            match organization(line, &plan) {
                Ok(organization) => {
                    touched.insert(organization.id.clone());
                    plan.organizations
                        .insert(organization.id.clone(), organization);
                }
                Err(why) => refuse(*number, why),
            }
        }
    }
    // Organizations with a telephony configuration that is wrong: that it is missing then says nothing more.
    let mut unclear = BTreeSet::new();
    for (number, line) in &lines {
        if let Line::TelephonyConfiguration(line) = line {
            let organization = plan.organizations.get_mut(&line.organization);
            let added = organization
                .ok_or_else(|| no_organization(&line.organization))
                .and_then(|organization| add_telephony(host, organization, line));
            match added {
                Ok(()) => {
                    touched.insert(line.organization.clone());
                    checked.telephony += 1;
                }
                Err(why) => {
                    unclear.insert(line.organization.clone());
                    refuse(*number, why);
                }
            }
        }
    }
    for (number, line) in lines {
        match line {
            Line::Number(line) => {
                let organization = plan.organizations.get_mut(&line.organization);
                let added = organization
                    .ok_or_else(|| no_organization(&line.organization))
                    .and_then(|organization| add_number(organization, &line));
                match added {
                    Ok(()) => {
                        touched.insert(line.organization.clone());
                        checked.numbers += 1;
                    }
                    Err(why) => refuse(number, why),
                }
            }
            Line::Agent(line) => match agents::check(host, *line, &plan) {
                Ok(agent) => {
                    if let Err(why) = agents::claim(&agent, &mut plan, &mut checked) {
                        refuse(number, why);
                    }
                    checked.agents.push(agent);
                }
                Err(why) => refuse(number, why),
            },
            Line::Key(line) => match keys::key(line, &plan) {
                Ok(key) => checked.keys.push(key),
                Err(why) => refuse(number, why),
            },
            Line::Organization(line) => {
                // Its telephony configurations are known only now.
                let default = line.default_telephony_configuration;
                let organization = plan.organizations.get(&line.id);
                if let (Some(id), Some(organization)) = (default, organization)
                    && organization.telephony(id).is_none()
                    && !unclear.contains(&line.id)
                {
                    refuse(
                        number,
                        format!("default_telephony_configuration {id} is not in the import"),
                    );
                }
            }
            Line::Webhook(line) => {
                let known = known(&plan, &line.organization);
                let added =
                    known.and_then(|()| webhooks::webhook(host, line, &mut checked.webhooks));
                if let Err(why) = added {
                    refuse(number, why);
                }
            }
            Line::Suppression(line) => {
                let organization = plan.organizations.get(&line.organization);
                let read = organization
                    .ok_or_else(|| no_organization(&line.organization))
                    .and_then(|organization| {
                        let id = organization.id.clone();
                        Ok((id, rules::suppression(host, line, organization)?))
                    });
                match read {
                    Ok((id, suppression)) => {
                        checked
                            .suppressions
                            .entry(id)
                            .or_default()
                            .push(suppression);
                    }
                    Err(why) => refuse(number, why),
                }
            }
            Line::CallbackSecret(line) => {
                let known = known(&plan, &line.organization);
                let added = known
                    .and_then(|()| webhooks::callback_secret(host, line, &mut checked.webhooks));
                if let Err(why) = added {
                    refuse(number, why);
                }
            }
            Line::TelephonyConfiguration(_) => {}
        }
    }
    if !issues.is_empty() {
        issues.sort_by_key(|(line, _)| *line);
        let issue = |(line, why)| Issue::new(format!("line {line}"), Rule::Other(why));
        return Err(issues.into_iter().map(issue).collect());
    }
    checked.organizations = touched
        .iter()
        .filter_map(|id| plan.organizations.get(id).cloned())
        .collect();
    Ok(checked)
}

pub(super) fn said(issues: &[Issue]) -> String {
    let said: Vec<String> = issues
        .iter()
        .map(|issue| format!("{} {}", issue.field, issue.rule.text()))
        .collect();
    said.join("; ")
}

fn known(plan: &Plan, organization: &str) -> Result<(), String> {
    match plan.organizations.contains_key(organization) {
        true => Ok(()),
        false => Err(no_organization(organization)),
    }
}

pub(super) fn no_organization(id: &str) -> String {
    format!("organization {id} is not known")
}

pub(super) fn need_uuid(field: &str, text: Option<&str>) -> Result<(), String> {
    match text {
        Some(text) if !is_uuid(text) => Err(format!("{field} must be a UUID")),
        _ => Ok(()),
    }
}

pub(super) fn need_slug(field: &str, text: &str) -> Result<(), String> {
    if is_slug(text) {
        Ok(())
    } else {
        Err(format!(
            "{field} must be 1 to 63 characters of a-z, 0-9 and -"
        ))
    }
}

/// Ids stand in paths, tokens and stored names as they are.
fn is_slug(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && !text.starts_with('-')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
