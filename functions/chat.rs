//! `chat`: an agent answers in text on voicing's chatbot socket. No call, no seat, no number, and nothing said is kept.

use crate::reply::{self, Reply};
use crate::socket::{self, Routed};
use crate::{Fault, Owner, Platform, access, body, documents, gates, place, texts, voice};
use calls::chat::pool::{DOCUMENT, MOST, Open};
use calls::config::{Agent, Organization, Permission, REST_APIS};
use calls::dialect::voicing::Voicing;
use calls::dialect::{AgentName, Dialect as _, PlaceCall};
use calls::id::CallId;
use calls::known::{self, Known};
use calls::problem::Problem;
use calls::record::{AgentSaid, Record};
use calls::voice::{Kind, Limits};
use http::Request;
use serde_json::{Value, json};
use validation::{Issue, Rule, Variables};

/// How long a chat may be silent, and how long it may be, in seconds.
const IDLE_S: u64 = 120;
const LONGEST_S: u64 = 900;

/// `GET /api/v1/voicing/ws/platform/api/chatbot?assistant_id=`
pub(crate) async fn chatbot(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
) -> Result<Routed, Problem> {
    let admitted = admit(host, request).await?;
    if let Some(elsewhere) = socket::at_launcher(host, request) {
        return Ok(Routed::Reply(elsewhere));
    }
    socket::need_upgrade(request)?;
    Ok(Routed::Socket(open(host, admitted).await?))
}

/// `POST /internal/chat?assistant_id=`: the launcher asks whose socket this is, with the key it was given.
pub(crate) async fn authorize(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
) -> Result<Reply, Problem> {
    voice::from_launcher(host, request)?;
    let admitted = admit(host, request).await?;
    let id = open(host, admitted).await?;
    Ok(reply::json_reply(200, &json!({ "call": id.to_string() })))
}

/// A program whose key is good, and the agent's texts for it.
struct Admitted {
    organization: Organization,
    agent: Agent,
    said: AgentSaid,
}

async fn admit(host: &impl Platform, request: &Request<Vec<u8>>) -> Result<Admitted, Problem> {
    let caller = access::socket_caller(host, request, Permission::CreateCalls).await?;
    caller.need_category(REST_APIS)?;
    let assistant = socket::query(request, "assistant_id").filter(|id| !id.is_empty());
    let assistant = assistant
        .ok_or_else(|| Problem::Invalid(vec![Issue::new("assistant_id", Rule::Missing)]))?;
    let variables = input_variables(request)?;
    let name = AgentName::Assistant(assistant.clone());
    let account = caller.with_agent(host, &name).await?;
    let agent = gates::callable(host, &account.organization, &name).await?;
    let script = agent.script(false).ok_or(Problem::NoAgent(assistant))?;
    let known = Known {
        variables,
        system: known::system(agent.zone(), host.now()),
        ..Known::default()
    };
    let wanted = PlaceCall::new(name, String::new(), "");
    let said = texts::rendered(&Voicing, &agent, script, &wanted, &known)?;
    let said = said.insist(script)?.agent;
    Ok(Admitted {
        organization: account.organization,
        agent,
        said,
    })
}

/// Ours: the values of the agent's placeholders, as a JSON object in the query.
fn input_variables(request: &Request<Vec<u8>>) -> Result<Variables, Problem> {
    const NAME: &str = "input_variables";
    let Some(text) = socket::query(request, NAME).filter(|text| !text.is_empty()) else {
        return Ok(Variables::default());
    };
    match body::strict::parse(&text) {
        Ok(Value::Object(variables)) => Ok(Variables(variables)),
        Ok(_) | Err(_) => Err(Problem::Invalid(vec![Issue::new(NAME, Rule::NotObject)])),
    }
}

/// Takes one of the organization's chats, stores that it is open, and starts its voice.
async fn open(host: &impl Platform, admitted: Admitted) -> Result<CallId, Problem> {
    let organization = &admitted.organization.id;
    let mut record = record(host, &admitted);
    let key = host.settings().signing_key.expose().as_bytes();
    let run = CallId::fresh_run(record.created_at.0, host.random());
    let id = CallId::of_run(key, organization, run);
    let now = host.now();
    let until = record.seat_until(now);
    let added = change(host, organization, |open| {
        open.add(&id.to_string(), until, now)
    });
    if !added.await? {
        let most = u32::try_from(MOST).unwrap_or(u32::MAX);
        return Err(Problem::NoChat { most });
    }
    match place::open_once(host, record.clone(), id).await {
        Ok(Some((_, opened))) => record = opened,
        // Another call has this id, and the chat of this id in the pool is its own, or nobody's: that one expires.
        Ok(None) => return Err(Problem::NoVoice),
        Err(problem) => {
            free(host, organization, id).await?;
            return Err(problem);
        }
    }
    // The texts are for the voice alone: they are not stored with the record.
    record.agent = admitted.said;
    socket::start(host, id, &record).await?;
    Ok(id)
}

/// Gives a chat back. Doing it again changes nothing.
pub(crate) async fn free(
    host: &impl Platform,
    organization: &str,
    id: CallId,
) -> Result<(), Fault> {
    change(host, organization, |open| open.remove(&id.to_string())).await
}

async fn change<T>(
    host: &impl Platform,
    organization: &str,
    change: impl FnMut(&mut Open) -> T,
) -> Result<T, Fault> {
    let owner = Owner::Organization(organization.to_owned());
    documents::change(host, &owner, DOCUMENT, change).await
}

/// What is stored of a chat: that it is open, and nothing that is said in it.
fn record(host: &impl Platform, admitted: &Admitted) -> Record {
    let organization = &admitted.organization.id;
    let arriving = Record::arriving(Kind::Chat, Voicing.word(), organization, host.now());
    Record {
        agent: AgentSaid {
            id: admitted.agent.id.clone(),
            name: admitted.agent.name.clone(),
            ..AgentSaid::default()
        },
        limits: Limits {
            call_s: LONGEST_S,
            silence_s: IDLE_S,
            ..arriving.limits
        },
        ..arriving
    }
}
