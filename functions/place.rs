//! Placing a call: every check first, then persist, seat, dial, and the voice container last.

use crate::ledger::{self, Standing};
use crate::reply::{self, Reply};
use crate::{Lease, Opened, Platform, SendError, settle, store, voice};
use calls::call::Call;
use calls::config::{Agent, OnMachine, Organization, Script, Telephony, VERSION, WhenMissing};
use calls::dialect::{Caller, Dialect, PlaceCall};
use calls::event::Event;
use calls::id::CallId;
use calls::problem::Problem;
use calls::record::{AgentSaid, Record, TelephonyUsed};
use calls::secret::Secret;
use calls::time::Time;
use calls::token::{Door, Token};
use calls::twilio::dial::{self, Dialled};
use calls::voice::Limits;
use validation::hours::Hours;
use validation::{Country, NotAPhone, Phone, render};

/// How often a colliding run number is drawn again: twice the same 12 random bits in one millisecond is rare, thrice absurd.
const DRAWS: usize = 4;

/// Places the call a program wants. On `Ok` the call exists, and either rings or is being reconciled.
pub(crate) async fn place(
    host: &impl Platform,
    dialect: &dyn Dialect,
    organization: &Organization,
    mut wanted: PlaceCall,
) -> Result<Standing, Problem> {
    let home = organization.country.as_deref().and_then(Country::parse);
    let to = Phone::parse(&wanted.to, home)
        .map_err(|why| Problem::InvalidNumber(wanted.to_field.to_owned(), why))?;
    let agent = callable(host, organization, &wanted).await?;
    let script = agent
        .script(wanted.draft)
        .ok_or_else(|| Problem::NoAgent(wanted.agent.text()))?;
    let (telephony, from) = caller(organization, &wanted, home)?;
    if from == to.as_str() {
        return Err(Problem::InvalidNumber(
            wanted.to_field.to_owned(),
            NotAPhone::SameAsCaller,
        ));
    }
    let own = dialect.own_variables(to.as_str(), &from);
    wanted.variables.0.extend(own);
    let said = rendered(dialect, &agent, script, &wanted)?;
    within_active_hours(&agent, host.now())?;

    // Written before Twilio hears of it, so that the first callback finds a record.
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
            connect_s: script.ring_s + 30,
        },
        on_machine: script.on_machine,
    };
    let auth = ledger::credential(host, &record)?;
    let (id, record) = open(host, record).await?;
    take_seat(host, organization, id, &record).await?;
    dial(host, id, record, &auth).await
}

/// The dialect's answer to a placed call, with what it has no field for in headers.
pub(crate) fn show(dialect: &dyn Dialect, placed: &Standing) -> Reply {
    let (status, body) = dialect.show_placed(&placed.record, &placed.call);
    let mut reply = reply::json_reply(status, &body);
    reply::set(&mut reply, "x-call-id", &placed.record.id);
    if !placed.record.unresolved.is_empty() {
        reply::set(
            &mut reply,
            "x-unresolved-variables",
            &placed.record.unresolved.join(","),
        );
    }
    reply
}

/// The agent, if the organization may call with it.
async fn callable(
    host: &impl Platform,
    organization: &Organization,
    wanted: &PlaceCall,
) -> Result<Agent, Problem> {
    let asked = wanted.agent.text();
    let Some(agent) = store::agent(host, &wanted.agent).await? else {
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

/// The telephony configuration to place the call with, and the number to call from.
fn caller<'a>(
    organization: &'a Organization,
    wanted: &PlaceCall,
    home: Option<Country>,
) -> Result<(&'a Telephony, String), Problem> {
    let named = match &wanted.from {
        None => None,
        Some(caller) => {
            let number = organization.numbers.iter().find(|number| match caller {
                Caller::Id(id) => number.id.eq_ignore_ascii_case(id),
                Caller::Number(text) => {
                    Phone::parse(text, home).is_ok_and(|phone| phone.as_str() == number.number)
                }
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

/// The agent's active hours, by its own clock.
fn within_active_hours(agent: &Agent, now: Time) -> Result<(), Problem> {
    let Some(hours) = &agent.active_hours else {
        return Ok(());
    };
    let hours =
        Hours::parse(&hours.timezone, &hours.days, &hours.start, &hours.end).map_err(|_| {
            Problem::Broken(format!(
                "the active hours of agent {} do not read",
                agent.id
            ))
        })?;
    if hours.open_at(now.0) {
        return Ok(());
    }
    let next = hours.next_open(now.0).map(Time);
    Err(Problem::OutsideHours {
        next: next.map(Time::rfc3339),
        retry_after_s: next.map(|next| (next.0 - now.0).div_ceil(1000)),
    })
}

struct Said {
    agent: AgentSaid,
    unresolved: Vec<String>,
}

/// The agent's texts with the call's variables in them.
fn rendered(
    dialect: &dyn Dialect,
    agent: &Agent,
    script: &Script,
    wanted: &PlaceCall,
) -> Result<Said, Problem> {
    let when_missing = match script.when_missing {
        WhenMissing::AsDialect => dialect.when_missing(),
        WhenMissing::Literal => validation::WhenMissing::Literal,
        WhenMissing::Empty | WhenMissing::Refuse => validation::WhenMissing::Empty,
    };
    let mut unresolved: Vec<String> = Vec::new();
    let mut fill = |template: &str| {
        let filled = render(
            template,
            |path| dialect.value_of(&wanted.variables, path),
            when_missing,
        );
        for name in filled.missing {
            if !unresolved.contains(&name) {
                unresolved.push(name);
            }
        }
        filled.text
    };
    let said = AgentSaid {
        id: agent.id.clone(),
        name: agent.name.clone(),
        disclosure: script.disclosure.as_deref().map(&mut fill),
        greeting: fill(wanted.greeting.as_deref().unwrap_or(&script.greeting)),
        prompt: fill(&script.prompt),
        agenda: wanted
            .agenda
            .as_deref()
            .or(script.agenda.as_deref())
            .map(&mut fill),
        answers: script.answers.iter().map(|answer| fill(answer)).collect(),
        goodbye: fill(&script.goodbye),
        keys: script.keys.clone(),
    };
    if script.when_missing == WhenMissing::Refuse && !unresolved.is_empty() {
        return Err(Problem::VariablesMissing(unresolved));
    }
    Ok(Said {
        agent: said,
        unresolved,
    })
}

/// Persists the call under a new id.
async fn open(host: &impl Platform, mut record: Record) -> Result<(CallId, Record), Problem> {
    for _ in 0..DRAWS {
        let random = host.random();
        let run = CallId::fresh_run(record.created_at.0, random);
        let id = CallId::of_run(
            host.settings().signing_key.expose().as_bytes(),
            &record.organization,
            run,
        );
        let kind = if record.mode == "draft" {
            "TEST"
        } else {
            "API"
        };
        record.id = id.to_string();
        record.run_name = format!(
            "WR-{kind}-{:04}",
            u16::from_be_bytes([random[2], random[3]]) % 10_000
        );
        let text =
            serde_json::to_string(&record).map_err(|error| Problem::Broken(error.to_string()))?;
        let wake_at = Call::default()
            .deadline(&record)
            .unwrap_or(record.created_at);
        if host.open_call(id, &text, wake_at).await? == Opened::Created {
            return Ok((id, record));
        }
    }
    Err(Problem::Broken("no free run number was found".to_owned()))
}

async fn take_seat(
    host: &impl Platform,
    organization: &Organization,
    id: CallId,
    record: &Record,
) -> Result<(), Problem> {
    let lease = Lease {
        call: id,
        until: record.seat_until(),
    };
    if host
        .take_seat(&organization.id, lease, organization.seats)
        .await?
    {
        return Ok(());
    }
    settle::refuse(host, id, record, Event::NoSeat { at: host.now() }).await?;
    Err(Problem::NoSeat { retry_after_s: 10 })
}

/// One request to Twilio, never repeated, and what follows from its answer.
async fn dial(
    host: &impl Platform,
    id: CallId,
    record: Record,
    auth: &Secret,
) -> Result<Standing, Problem> {
    let settings = host.settings();
    let token = provider_token(host, id, &record);
    let request =
        dial::place(&record, auth, &settings.public_base_url, &token).ok_or_else(|| {
            Problem::Broken("the telephony configuration's API base URL is no URL".to_owned())
        })?;
    let answer = host.send(request, settings.dial_timeout_ms).await;
    let at = host.now();
    let dialled = match answer {
        Ok(answer) => dial::placed(&answer),
        Err(SendError::NotSent(cause)) => {
            settle::log(host, "warn", "the dial was not sent", &id, &cause);
            Dialled::Refused {
                status: 503,
                code: None,
            }
        }
        Err(SendError::Unclear(cause)) => Dialled::Unclear(cause),
    };
    match dialled {
        Dialled::Accepted { sid } => {
            let audio = voice::start(host, id, &record).await;
            let mut events = vec![Event::Dialled { at, sid }];
            events.push(audio);
            Ok(ledger::add(host, id, &events).await?)
        }
        Dialled::Refused { status, code } => {
            settle::refuse(host, id, &record, Event::DialRefused { at, status, code }).await?;
            settle::log(
                host,
                "warn",
                "the provider refused the call",
                &id,
                &format!("status {status}, error {code:?}"),
            );
            Err(Problem::ProviderRefused {
                number_at_fault: dial::number_at_fault(code),
                code,
            })
        }
        Dialled::Busy => {
            let refused = Event::DialRefused {
                at,
                status: 429,
                code: Some(20_429),
            };
            settle::refuse(host, id, &record, refused).await?;
            Err(Problem::ProviderBusy)
        }
        Dialled::Unclear(cause) => {
            settle::log(host, "warn", "the dial's outcome is unknown", &id, &cause);
            let audio = voice::start(host, id, &record).await;
            let standing =
                ledger::add(host, id, &[Event::DialUnknown { at, cause }, audio]).await?;
            settle::look_again(host, id, &standing).await?;
            Ok(standing)
        }
    }
}

/// The token in everything Twilio is told to request for this call.
pub(crate) fn provider_token(host: &impl Platform, id: CallId, record: &Record) -> String {
    token(host, id, record, Door::Provider)
}

pub(crate) fn token(host: &impl Platform, id: CallId, record: &Record, door: Door) -> String {
    let token = Token {
        call: id,
        organization: record.organization.clone(),
        expires: record.tokens_expire(),
    };
    token.show(host.settings().signing_key.expose().as_bytes(), door)
}

/// Whether a machine that answers is to be hung up on.
pub(crate) fn hangs_up_on_machines(record: &Record) -> bool {
    record.on_machine == OnMachine::HangUp
}
