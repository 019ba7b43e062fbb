//! Checks an import whole: what each line says, and what the lines say of each other and of what is stored.

use super::agents;
use super::lines::{
    AgentLine, KeyLine, Line, NumberLine, Numbered, OrganizationLine, TelephonyLine,
};
use super::rules;
use super::webhooks::{self, AllImported};
use crate::{Fault, Platform, store};
use calls::config::{Agent, Key, Number, Opens, Organization, Telephony, VERSION};
use calls::dialect::AgentName;
use calls::record::credential_owner;
use calls::seal;
use calls::secret::{Secret, sha256_hex};
use calls::suppression::Suppression;
use calls::twilio;
use http::Uri;
use std::collections::{BTreeMap, BTreeSet};
use validation::{Country, Issue, Phone, Rule, is_uuid};

/// What an import starts from: the stored documents its lines touch.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) organizations: BTreeMap<String, Organization>,
    pub(super) agents: BTreeMap<String, Agent>,
    /// Who holds each name an agent line claims.
    pub(super) holders: BTreeMap<String, String>,
    /// What stored keys that key lines name open, by SHA-256.
    keys: BTreeMap<String, Opens>,
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
                    if let Ok(sha256) = hash(line)
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
            Line::Key(line) => match key(line, &plan) {
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

fn organization(line: &OrganizationLine, plan: &Plan) -> Result<Organization, String> {
    need_slug("id", &line.id)?;
    if let Some(tenant) = &line.tenant {
        need_slug("tenant", tenant)?;
    }
    if let Some(code) = &line.country
        && Country::parse(code).is_none()
    {
        return Err(format!("country {code} is not known"));
    }
    if line.seats == 0 || line.seats > 10_000 {
        return Err("seats must be between 1 and 10000".to_owned());
    }
    rules::check_organization(line)?;
    let stored = plan.organizations.get(&line.id);
    Ok(Organization {
        v: VERSION,
        id: line.id.clone(),
        name: line.name.clone().unwrap_or_else(|| line.id.clone()),
        active: line.active,
        seats: line.seats,
        inbound_reserve: line.inbound_reserve,
        calling_window: line.calling_window.clone(),
        attempts_per_day: line.attempts_per_day,
        allowed_countries: line.allowed_countries.clone(),
        calls_per_second: line.calls_per_second,
        country: line.country.clone(),
        default_telephony: line.default_telephony_configuration,
        telephony: stored
            .map(|stored| stored.telephony.clone())
            .unwrap_or_default(),
        numbers: stored
            .map(|stored| stored.numbers.clone())
            .unwrap_or_default(),
        tenant: line.tenant.clone(),
    })
}

fn add_telephony(
    host: &impl Platform,
    organization: &mut Organization,
    line: &TelephonyLine,
) -> Result<(), String> {
    let account = &line.account_sid;
    let is_account = account.len() == 34
        && account.starts_with("AC")
        && account[2..].bytes().all(|b| b.is_ascii_hexdigit());
    if !is_account {
        return Err("account_sid must be AC and 32 hex digits".to_owned());
    }
    let api_base_url = line
        .api_base_url
        .clone()
        .unwrap_or_else(|| twilio::API.to_owned());
    let is_base = api_base_url.parse::<Uri>().is_ok_and(|url| {
        matches!(url.scheme_str(), Some("https" | "http")) && url.query().is_none()
    });
    if !is_base {
        return Err("api_base_url must be an http or https URL without a query".to_owned());
    }
    let key = &host.settings().encryption_key;
    let owner = credential_owner(&organization.id, line.id);
    let sealed_auth_token = match (&line.auth_token, &line.auth_token_sealed) {
        (Some(token), None) if !token.is_empty() => {
            seal::seal(key, &owner, &Secret::new(token), host.random())
        }
        (None, Some(sealed)) if seal::open(key, &owner, sealed).is_some() => sealed.clone(),
        (None, Some(_)) => {
            return Err(
                "auth_token_sealed does not open: it was sealed with another ENCRYPTION_KEY"
                    .to_owned(),
            );
        }
        _ => return Err("auth_token is required".to_owned()),
    };
    organization.telephony.retain(|known| known.id != line.id);
    organization.telephony.push(Telephony {
        id: line.id,
        name: line.name.clone().unwrap_or_else(|| line.id.to_string()),
        account_sid: account.clone(),
        sealed_auth_token,
        api_base_url: api_base_url.trim_end_matches('/').to_owned(),
    });
    organization.telephony.sort_by_key(|telephony| telephony.id);
    Ok(())
}

fn add_number(organization: &mut Organization, line: &NumberLine) -> Result<(), String> {
    need_uuid("id", Some(&line.id))?;
    let phone = Phone::parse(&line.number, None).map_err(|why| format!("number {}", why.text()))?;
    if organization
        .telephony(line.telephony_configuration)
        .is_none()
    {
        return Err(format!(
            "telephony_configuration {} is not known",
            line.telephony_configuration
        ));
    }
    organization
        .numbers
        .retain(|known| known.id != line.id && known.number != phone.as_str());
    organization.numbers.push(Number {
        id: line.id.to_ascii_lowercase(),
        number: phone.as_str().to_owned(),
        telephony: line.telephony_configuration,
    });
    organization.numbers.sort_by(|a, b| a.number.cmp(&b.number));
    Ok(())
}

pub(super) fn said(issues: &[Issue]) -> String {
    let said: Vec<String> = issues
        .iter()
        .map(|issue| format!("{} {}", issue.field, issue.rule.text()))
        .collect();
    said.join("; ")
}

fn key(line: KeyLine, plan: &Plan) -> Result<(String, Key), String> {
    let sha256 = hash(&line)?;
    let opens = match (line.organization, line.tenant) {
        (Some(id), None) if plan.organizations.contains_key(&id) => Opens::Organization(id),
        (Some(id), None) => return Err(no_organization(&id)),
        (None, Some(id)) => {
            need_slug("tenant", &id)?;
            Opens::Tenant(id)
        }
        _ => return Err("either organization or tenant is required".to_owned()),
    };
    if plan
        .keys
        .get(&sha256)
        .is_some_and(|stored| *stored != opens)
    {
        return Err("this key is another organization's".to_owned());
    }
    let key = Key {
        v: VERSION,
        opens,
        name: line.name.unwrap_or_default(),
        category: line.category,
        permissions: line.permissions,
        active: line.active,
        expires_at: line.expires_at,
    };
    Ok((sha256, key))
}

fn hash(line: &KeyLine) -> Result<String, String> {
    match (&line.key, &line.sha256) {
        (Some(key), None) if key.len() >= 16 => Ok(sha256_hex(key.as_bytes())),
        (Some(_), None) => Err("key must have 16 characters or more".to_owned()),
        (None, Some(hash))
            if hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            Ok(hash.to_ascii_lowercase())
        }
        _ => Err("either key or sha256 (64 hex digits) is required".to_owned()),
    }
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
