//! `inbound`: a dialler brings a call in on `GET /ws/{bot_id}`. Checked before the upgrade, then a call like any other.

use crate::ledger::{self, Standing};
use crate::reply::{self, Reply};
use crate::socket::{self, Routed};
use crate::{Platform, access, crm, fire, gates, place, settle, store, voice};
use calls::config::{Agent, Organization, Permission, Script};
use calls::dialect::dialout::Dialout;
use calls::dialect::{AgentName, Dialect as _};
use calls::event::Event;
use calls::id::CallId;
use calls::inbound;
use calls::media::HANDSHAKE_S;
use calls::problem::Problem;
use calls::record::{AgentSaid, Record};
use calls::voice::{Kind, Limits};
use http::Request;
use serde_json::{Map, Value, json};

/// What the way to the gateway and back may add to the CRM's own time, in seconds.
const CRM_GRACE_S: u64 = 2;

/// `GET /ws/{bot_id}`
pub(crate) async fn dialler(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    bot: &str,
) -> Result<Routed, Problem> {
    let admitted = admit(host, request, bot).await?;
    if let Some(elsewhere) = socket::at_launcher(host, request) {
        return Ok(Routed::Reply(elsewhere));
    }
    socket::need_upgrade(request)?;
    Ok(Routed::Socket(open(host, admitted).await?))
}

/// `POST /internal/ws/{bot_id}`: the launcher asks whose socket this is, with the key it was given.
pub(crate) async fn authorize(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    bot: &str,
) -> Result<Reply, Problem> {
    voice::from_launcher(host, request)?;
    let admitted = admit(host, request, bot).await?;
    let id = open(host, admitted).await?;
    Ok(reply::json_reply(200, &json!({ "call": id.to_string() })))
}

/// A dialler whose key and agent are good, at an hour when the agent talks.
struct Admitted {
    organization: Organization,
    agent: Agent,
    script: Script,
}

async fn admit(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    bot: &str,
) -> Result<Admitted, Problem> {
    let name = AgentName::Bot(bot.to_owned());
    let caller = access::socket_caller(host, request, Permission::CreateCalls).await?;
    let account = caller.with_agent(host, &name).await?;
    let agent = gates::callable(host, &account.organization, &name).await?;
    let script = agent.script(false).cloned();
    let script = script.ok_or_else(|| Problem::NoAgent(bot.to_owned()))?;
    if let Some(closed) = gates::within_active_hours(&agent, host.now())? {
        return Err(closed);
    }
    Ok(Admitted {
        organization: account.organization,
        agent,
        script,
    })
}

/// Asks the agent's CRM about a call whose dialler has told who calls, once. What it says is kept with the call.
pub(crate) async fn ask_crm(
    host: &impl Platform,
    id: CallId,
    standing: &Standing,
) -> Result<Option<Map<String, Value>>, Problem> {
    let (record, call) = (&standing.record, &standing.call);
    let Some((variables, at)) = call.connected().filter(|_| record.crm_s > 0) else {
        return Ok(None);
    };
    if let Some(fetched) = call.fetched() {
        return Ok(Some(fetched.values.clone()));
    }
    let name = AgentName::Id(record.agent.id.clone());
    let Some(agent) = store::agent(host, &name).await? else {
        return Ok(None);
    };
    let known = inbound::known(variables, &Map::new(), &record.timezone, at);
    let value_of = |path: &str| Dialout.value_of(&known, path);
    let fetched = crm::fetch(host, &agent, &known, value_of).await;
    let fetched = fetched.unwrap_or_default();
    let values = fetched.values.clone();
    let at = host.now();
    ledger::add(host, id, &[Event::CrmAsked { at, fetched }]).await?;
    Ok(Some(values))
}

/// Stores the call, takes its seat and starts its voice.
async fn open(host: &impl Platform, admitted: Admitted) -> Result<CallId, Problem> {
    let organization = admitted.organization.clone();
    let record = record(host, admitted);
    let (id, record) = place::open(host, record).await?;
    if let Err(full) = fire::take_seat(host, &organization, id, &record).await? {
        let at = host.now();
        let no_seat = Event::NoSeat { at, full };
        settle::refuse(host, id, &record, no_seat).await?;
        return Err(Problem::NoSeat(full));
    }
    socket::start(host, id, &record).await?;
    Ok(id)
}

/// What is known before the dialler's first frame: the texts are the agent's templates.
fn record(host: &impl Platform, admitted: Admitted) -> Record {
    let Admitted {
        organization,
        agent,
        script,
    } = admitted;
    let arriving = Record::arriving(Kind::Dialler, Dialout.word(), &organization.id, host.now());
    Record {
        timezone: agent.zone().name().to_owned(),
        agent: AgentSaid {
            id: agent.id,
            name: agent.name,
            disclosure: script.disclosure,
            greeting: script.greeting,
            prompt: script.prompt,
            agenda: script.agenda,
            answers: script.answers,
            goodbye: script.goodbye,
            opted_out: script.opted_out,
            keys: script.keys,
            transfer_to: script.transfer_to,
        },
        ring_s: HANDSHAKE_S,
        limits: Limits {
            call_s: script.call_s,
            silence_s: script.silence_s,
            ..arriving.limits
        },
        when_missing: script.when_missing,
        agent_seats: agent.seats,
        crm_s: agent
            .pre_fetch
            .as_ref()
            .map_or(0, |fetch| fetch.timeout_seconds + CRM_GRACE_S),
        ..arriving
    }
}
