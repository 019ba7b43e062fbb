//! Everything that is checked before a call is stored: agent, numbers, texts, hours. What passes is the call's record.

use crate::admission::{self, Asked};
use crate::{Fault, Platform, contacts, crm, store, texts};
use calls::config::{Agent, Number, Organization, Telephony, VERSION};
use calls::dialect::{AgentName, Caller, Dialect, PlaceCall};
use calls::known::{self, Known};
use calls::plan::Schedule;
use calls::problem::Problem;
use calls::record::{Contact, Gate, QUEUE_S, Record, TelephonyUsed};
use calls::seats::Full;
use calls::time::Time;
use calls::voice::{Kind, Limits};
use validation::hours::Hours;
use validation::zone::Zone;
use validation::{Country, Issue, NotAPhone, Phone, Rule, WebhookUrl};

/// The call a program wants, and why it is not to be placed now, if a gate is closed.
pub(crate) struct Examined {
    /// Without the id it is stored under. Its gates hold every verdict, also after one that is against the call.
    pub(crate) record: Record,
    pub(crate) refused: Option<Problem>,
    /// The limit it met before the agent's CRM was asked, which then was not: it is not to be dialled without.
    pub(crate) full: Option<Full>,
}

impl Examined {
    /// The record, if every gate is open.
    pub(crate) fn passed(self) -> Result<Record, Problem> {
        match self.refused {
            Some(problem) => Err(Problem::AtGate(Box::new(problem), self.record.gates)),
            None => Ok(self.record),
        }
    }
}

/// Evaluates every gate. A request that names nothing that could be called fails.
pub(crate) async fn examine(
    host: &impl Platform,
    dialect: &dyn Dialect,
    organization: &Organization,
    mut wanted: PlaceCall,
) -> Result<Examined, Problem> {
    let schedule =
        Schedule::of(wanted.earliest_at, wanted.latest_at, host.now()).map_err(Problem::Invalid)?;
    if let Some(url) = &wanted.callback_url {
        WebhookUrl::parse(url, &host.settings().allowed_private_origins)
            .map_err(|why| Problem::Invalid(vec![why.issue(dialect.callback_field())]))?;
    }
    let home = home_of(organization);
    let to = dialect
        .number(&wanted.to, home)
        .map_err(|why| Problem::InvalidNumber(wanted.to_field.to_owned(), why))?;
    let agent = callable(host, organization, &wanted.agent).await?;
    let script = agent
        .script(wanted.draft)
        .ok_or_else(|| Problem::NoAgent(wanted.agent.text()))?;
    let (telephony, from) = caller(dialect, organization, &wanted)?;
    if from == to.as_str() {
        return Err(Problem::InvalidNumber(
            wanted.to_field.to_owned(),
            NotAPhone::SameAsCaller,
        ));
    }
    let own = dialect.own_variables(to.as_str(), &from);
    wanted.variables.0.extend(own);
    // A call for later is checked as of the time it is for, and put off then if a gate is closed.
    let at = schedule.map_or(host.now(), |plan| plan.earliest_at);
    let timezone = recipient_timezone(&agent, &wanted)?;
    let mut asked = Asked {
        organization,
        agent: &agent,
        to: &to,
        to_field: wanted.to_field,
        timezone,
        now: at,
    };
    let begun = host.now();
    let mut admitted = admitted(host, &asked, schedule).await?;
    let mut known = Known {
        variables: wanted.variables.clone(),
        call: known::outbound(to.as_str(), &from),
        system: known::system(agent.zone(), begun),
        ..Known::default()
    };
    // Nobody is asked about a person who is not to be called, nor for a call that finds no seat anyway.
    let full = match (&agent.pre_fetch, schedule) {
        (Some(_), None) if admitted.refused.is_none() => {
            no_room(host, organization, &agent).await?
        }
        _ => None,
    };
    let fetched = match admitted.refused.is_none() && full.is_none() {
        true => crm::fetch(host, &agent, &known, |path| dialect.value_of(&known, path)).await,
        false => None,
    };
    if let Some(fetched) = &fetched {
        known.crm.0.clone_from(&fetched.values);
        // Meanwhile the person may have opted out, or an hour struck.
        asked.now = schedule.map_or(host.now(), |plan| plan.earliest_at);
        admitted = self::admitted(host, &asked, schedule).await?;
    }
    let said = texts::rendered(dialect, &agent, script, &wanted, &known)?;
    // What a CRM that was not asked would have said is missing in a call that is not dialled.
    let unasked = agent.pre_fetch.is_some() && fetched.is_none();
    let said = if unasked { said } else { said.insist(script)? };
    let mut gates = vec![
        callable_gate(&agent, &wanted, begun),
        caller_gate(telephony, begun),
    ];
    gates.extend(admitted.gates);

    let record = Record {
        v: VERSION,
        id: String::new(),
        organization: organization.id.clone(),
        created_at: host.now(),
        dialect: dialect.word().to_owned(),
        run_name: String::new(),
        mode: if wanted.draft { "draft" } else { "live" }.to_owned(),
        agent: said.agent,
        to: to.as_str().to_owned(),
        from,
        telephony: TelephonyUsed {
            id: telephony.id,
            account_sid: telephony.account_sid.clone(),
            sealed_auth_token: telephony.sealed_auth_token.clone(),
            api_base_url: telephony.api_base_url.clone(),
        },
        variables: wanted.variables.0,
        unresolved: said.unresolved,
        ring_s: script.ring_s,
        limits: Limits {
            call_s: script.call_s,
            silence_s: script.silence_s,
            // Its voice waits as long as it may itself.
            connect_s: QUEUE_S + script.ring_s + 30,
        },
        on_machine: script.on_machine,
        fingerprint: None,
        contact: Some(Contact {
            name: wanted.contact_name,
            entered: dialect.names_contact(),
            ..contacts::of(host, &organization.id, to.as_str())
        }),
        callback_url: wanted.callback_url,
        external_id: wanted.external_id,
        metadata: wanted.metadata,
        timezone: agent.zone().name().to_owned(),
        fetched,
        crm_s: 0,
        listed: 0,
        schedule,
        retry: wanted.retry.or_else(|| script.retry.clone()),
        attempt: None,
        voicemail_message: said.voicemail_message,
        recipient_timezone: timezone.map(|zone| zone.name().to_owned()),
        agent_seats: agent.seats,
        dedupe_s: agent.dedupe_s,
        gates,
        kind: Kind::Phone,
        when_missing: script.when_missing,
    };
    Ok(Examined {
        record,
        refused: admitted.refused,
        full,
    })
}

/// What the gates say that ask whom a call goes to, and when.
struct Admitted {
    gates: Vec<Gate>,
    /// The first verdict against the call.
    refused: Option<Problem>,
}

async fn admitted(
    host: &impl Platform,
    asked: &Asked<'_>,
    schedule: Option<Schedule>,
) -> Result<Admitted, Problem> {
    // What time opens again is waited for where the call is for later.
    let waits = |problem: &Problem| schedule.is_some() && problem.may_pass();
    let mut admitted = Admitted {
        gates: Vec::new(),
        refused: None,
    };
    for verdict in admission::verdicts(host, asked).await? {
        admitted.gates.push(verdict.gate);
        let against = verdict.problem.filter(|problem| !waits(problem));
        admitted.refused = admitted.refused.or(against);
    }
    Ok(admitted)
}

/// The limit a call of this agent would meet now. Whether it gets a seat is decided when it takes one.
async fn no_room(
    host: &impl Platform,
    organization: &Organization,
    agent: &Agent,
) -> Result<Option<Full>, Fault> {
    let limits = organization.limits(agent.seats);
    let seats = host.seats(&organization.id).await?;
    Ok(seats.room(&agent.id, false, &limits, host.now()).err())
}

fn callable_gate(agent: &Agent, wanted: &PlaceCall, now: Time) -> Gate {
    let version = match (wanted.draft, &agent.draft) {
        (true, Some(_)) => "the draft",
        _ => "the published version",
    };
    let evidence = format!("agent {} is active and speaks {version}", agent.id);
    Gate::new("agent", now, true, evidence)
}

fn caller_gate(telephony: &Telephony, now: Time) -> Gate {
    let evidence = format!(
        "telephony configuration {} has the number to call from",
        telephony.id
    );
    Gate::new("caller", now, true, evidence)
}

/// The zone of the person called, by the request, or by the variable in which the agent expects it.
fn recipient_timezone(agent: &Agent, wanted: &PlaceCall) -> Result<Option<Zone>, Problem> {
    let in_variable = agent.timezone_variable.as_deref().and_then(|name| {
        let value = wanted.variables.at(name)?;
        Some((name, value))
    });
    let in_request = wanted.timezone.clone().map(|zone| ("timezone", zone));
    let Some((field, text)) = in_request
        .or(in_variable)
        .filter(|(_, text)| !text.is_empty())
    else {
        return Ok(None);
    };
    // Guessing instead would call somebody at night whom the program knows to be asleep.
    let rule = || Rule::Other("must be an IANA time zone, for example Europe/Berlin".to_owned());
    match Zone::parse(&text) {
        Some(zone) => Ok(Some(zone)),
        None => Err(Problem::Invalid(vec![Issue::new(field, rule())])),
    }
}

/// Goes through the gates again for a call that was stored before and is to be dialled at `at`.
pub(crate) async fn again(
    host: &impl Platform,
    record: &Record,
    at: Time,
) -> Result<Organization, Problem> {
    let organization = store::organization(host, &record.organization).await?;
    let organization = organization
        .filter(|organization| organization.active)
        .ok_or(Problem::OrganizationInactive)?;
    let id = &record.agent.id;
    let agent = store::agent(host, &AgentName::Id(id.clone())).await?;
    let agent = agent
        .filter(|agent| agent.active && agent.organization.as_ref() == Some(&organization.id))
        .ok_or_else(|| Problem::NoAgent(id.clone()))?;
    still_callable_from(&organization, record)?;
    let to = Phone::parse(&record.to, None);
    let to = to.map_err(|why| Problem::InvalidNumber("to".to_owned(), why))?;
    let asked = Asked {
        organization: &organization,
        agent: &agent,
        to: &to,
        to_field: "to",
        timezone: record.recipient_timezone.as_deref().and_then(Zone::parse),
        now: at,
    };
    let verdicts = admission::verdicts(host, &asked).await?;
    match verdicts.into_iter().find_map(|verdict| verdict.problem) {
        Some(closed) => Err(closed),
        None => Ok(organization),
    }
}

/// Whether the organization still has what the call was to be placed with: the account, and the number of it.
fn still_callable_from(organization: &Organization, record: &Record) -> Result<(), Problem> {
    let used = &record.telephony;
    let configured = organization.telephony(used.id);
    configured
        .filter(|telephony| telephony.account_sid == used.account_sid)
        .ok_or(Problem::NoTelephony)?;
    let has = |number: &Number| number.number == record.from && number.telephony == used.id;
    match organization.numbers.iter().any(has) {
        true => Ok(()),
        false => Err(Problem::NoCaller),
    }
}

/// The agent a request names, whoever's it is.
pub(crate) async fn look_up(
    host: &impl Platform,
    name: &AgentName,
) -> Result<Option<Agent>, Problem> {
    let agent = store::agent(host, name).await;
    agent.map_err(|Fault(cause)| Problem::AgentUnread(cause))
}

/// The agent, if the organization may call with it.
pub(crate) async fn callable(
    host: &impl Platform,
    organization: &Organization,
    name: &AgentName,
) -> Result<Agent, Problem> {
    let asked = name.text();
    let Some(agent) = look_up(host, name).await? else {
        return Err(Problem::NoAgent(asked));
    };
    match &agent.organization {
        None => return Err(Problem::AgentWithoutOrganization(asked)),
        Some(owner) if *owner != organization.id => return Err(Problem::ForeignAgent(asked)),
        Some(_) => {}
    }
    if agent.owner.is_none() {
        return Err(Problem::AgentWithoutOwner(asked));
    }
    if !agent.active {
        return Err(Problem::NoAgent(asked));
    }
    Ok(agent)
}

/// The country whose national numbers the organization may give.
fn home_of(organization: &Organization) -> Option<Country> {
    organization.country.as_deref().and_then(Country::parse)
}

/// The telephony configuration to place the call with, and the number to call from.
fn caller<'a>(
    dialect: &dyn Dialect,
    organization: &'a Organization,
    wanted: &PlaceCall,
) -> Result<(&'a Telephony, String), Problem> {
    let home = home_of(organization);
    let named = match &wanted.from {
        None => None,
        Some(caller) => {
            let number = organization.numbers.iter().find(|number| match caller {
                Caller::Id(id) => number.id.eq_ignore_ascii_case(id),
                Caller::Number(text) => dialect
                    .number(text, home)
                    .is_ok_and(|phone| phone.as_str() == number.number),
            });
            Some(number.ok_or(Problem::NoCaller)?)
        }
    };
    let telephony = match wanted.telephony {
        Some(id) => organization.telephony(id).ok_or(Problem::NoTelephony)?,
        None => named
            .map(|number| number.telephony)
            .or(organization.default_telephony)
            .and_then(|id| organization.telephony(id))
            .ok_or(Problem::NotConfigured)?,
    };
    let number = named.or_else(|| {
        organization
            .numbers
            .iter()
            .find(|number| number.telephony == telephony.id)
    });
    match number {
        Some(number) if number.telephony == telephony.id => Ok((telephony, number.number.clone())),
        Some(_) => Err(Problem::NoCaller),
        None => Err(Problem::NotConfigured),
    }
}

/// Why the agent may not call now, by its active hours and its own clock.
pub(crate) fn within_active_hours(agent: &Agent, now: Time) -> Result<Option<Problem>, Problem> {
    let Some(hours) = &agent.active_hours else {
        return Ok(None);
    };
    let hours =
        Hours::parse(&hours.timezone, &hours.days, &hours.start, &hours.end).map_err(|_| {
            Problem::Broken(format!(
                "the active hours of agent {} do not read",
                agent.id
            ))
        })?;
    if hours.open_at(now.0) {
        return Ok(None);
    }
    let next = hours.next_open(now.0).map(Time);
    Ok(Some(Problem::OutsideHours {
        next: next.map(Time::rfc3339),
        retry_after_s: next.map(|next| (next.0 - now.0).div_ceil(1000)),
    }))
}
