//! The agent lines of an import: what each must say, and who holds which name.

use super::check::{Checked, Plan, need_slug, need_uuid, no_organization, said};
use super::crm::{self, Whose};
use super::lines::AgentLine;
use super::rules;
use crate::{Platform, store};
use calls::config::{Agent, Names, OnMachine, Script, VERSION};
use calls::dialect::AgentName;
use validation::zone::Zone;

pub(super) fn check(host: &impl Platform, line: AgentLine, plan: &Plan) -> Result<Agent, String> {
    need_slug("id", &line.id)?;
    if let Some(organization) = &line.organization
        && !plan.organizations.contains_key(organization)
    {
        return Err(no_organization(organization));
    }
    // Ids are the deployment's: nobody takes another organization's agent by naming it.
    if let Some(owner) = plan
        .agents
        .get(&line.id)
        .and_then(|stored| stored.organization.as_ref())
        && line.organization.as_ref() != Some(owner)
    {
        return Err(format!("agent {} is the organization {owner}'s", line.id));
    }
    need_uuid("trigger", line.trigger.as_deref())?;
    need_uuid("assistant_id", line.assistant_id.as_deref())?;
    if let Some(bot) = &line.bot_id
        && (bot.is_empty() || bot.len() > 100)
    {
        return Err("bot_id must be between 1 and 100 characters".to_owned());
    }
    for (name, script) in [("published", &line.published), ("draft", &line.draft)] {
        if let Some(script) = script {
            check_script(script).map_err(|why| format!("{name}: {why}"))?;
        }
    }
    if let Some(hours) = &line.active_hours {
        validation::hours::Hours::parse(&hours.timezone, &hours.days, &hours.start, &hours.end)
            .map_err(|issues| format!("active_hours: {}", said(&issues)))?;
    }
    rules::check_agent(&line)?;
    let names = names(&line);
    if let Some(timezone) = &line.timezone
        && Zone::parse(timezone).is_none()
    {
        return Err("timezone must be a time zone of the IANA database".to_owned());
    }
    if let Some(analysis) = &line.post_call_analysis {
        crm::check_analysis(analysis).map_err(|why| format!("post_call_analysis: {why}"))?;
    }
    let whose = |part| Whose {
        organization: line.organization.as_deref().unwrap_or_default(),
        agent: &line.id,
        part,
    };
    let pre_fetch = line
        .pre_fetch
        .map(|pre_fetch| crm::pre_fetch(host, pre_fetch, &whose("pre_fetch")))
        .transpose()
        .map_err(|why| format!("pre_fetch: {why}"))?;
    let post_call_push = line
        .post_call_push
        .map(|push| crm::push(host, push, &whose("post_call_push")))
        .transpose()
        .map_err(|why| format!("post_call_push: {why}"))?;
    Ok(Agent {
        v: VERSION,
        name: line.name.unwrap_or_else(|| line.id.clone()),
        id: line.id,
        organization: line.organization,
        owner: line.owner,
        active: line.active,
        names,
        published: line.published,
        draft: line.draft,
        active_hours: line.active_hours,
        timezone: line.timezone,
        pre_fetch,
        seats: line.seats,
        calling_window: line.calling_window,
        timezone_variable: line.timezone_variable,
        dedupe_s: line.dedupe_s,
        post_call_analysis: line.post_call_analysis,
        post_call_push,
    })
}

fn check_script(script: &Script) -> Result<(), String> {
    if script.greeting.trim().is_empty() {
        return Err("greeting must not be empty".to_owned());
    }
    for (name, value, least, most) in [
        ("ring_s", script.ring_s, 5, 120),
        ("call_s", script.call_s, 10, 14_400),
        ("silence_s", script.silence_s, 3, 600),
    ] {
        if !(least..=most).contains(&value) {
            return Err(format!("{name} must be between {least} and {most} seconds"));
        }
    }
    let message = script.voicemail_message.as_deref().unwrap_or_default();
    if script.on_machine == OnMachine::LeaveMessage && message.trim().is_empty() {
        return Err("voicemail_message must not be empty with on_machine leave_message".to_owned());
    }
    if let Some(retry) = &script.retry {
        retry.check().map_err(|issues| said(&issues))?;
    }
    if let Some(to) = &script.transfer_to
        && (to.trim().is_empty() || to.len() > 100)
    {
        return Err("transfer_to must be between 1 and 100 characters".to_owned());
    }
    let is_key = |key: &String| {
        key.len() == 1 && key.bytes().all(|byte| b"0123456789*#ABCD".contains(&byte))
    };
    match script.keys.keys().find(|key| !is_key(key)) {
        Some(key) => Err(format!("keys: {key} is no DTMF key")),
        None => Ok(()),
    }
}

/// Gives the agent its names, and takes from it those it no longer has.
pub(super) fn claim(agent: &Agent, plan: &mut Plan, checked: &mut Checked) -> Result<(), String> {
    let wanted = stored_names(&agent.names);
    for name in &wanted {
        match plan.holders.get(name) {
            Some(holder) if *holder != agent.id => {
                let shown = name.trim_start_matches("agent-by/");
                return Err(format!("{shown} is the agent {holder}'s"));
            }
            _ => drop(plan.holders.insert(name.clone(), agent.id.clone())),
        }
        checked.names.push((name.clone(), agent.id.clone()));
    }
    let before = plan
        .agents
        .get(&agent.id)
        .map(|stored| stored_names(&stored.names))
        .unwrap_or_default();
    checked
        .gone
        .extend(before.into_iter().filter(|name| !wanted.contains(name)));
    Ok(())
}

pub(super) fn names(line: &AgentLine) -> Names {
    Names {
        trigger: line.trigger.clone(),
        bot: line.bot_id.clone(),
        integer: line.integer_id,
        assistant: line.assistant_id.clone(),
    }
}

pub(super) fn stored_names(names: &Names) -> Vec<String> {
    let names = [
        names.trigger.clone().map(AgentName::Trigger),
        names.bot.clone().map(AgentName::Bot),
        names.integer.map(AgentName::Integer),
        names.assistant.clone().map(AgentName::Assistant),
    ];
    names.iter().flatten().map(store::agent_by).collect()
}
