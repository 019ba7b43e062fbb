//! The hand-off to the voice container: its start order, its media socket, its reports.

use crate::ledger::{self, Standing};
use crate::reply::{self, Reply};
use crate::settle;
use crate::socket::{self, Routed};
use crate::{Fault, Platform, inbound, place, suppressions, webhook};
use calls::event::Event;
use calls::id::CallId;
use calls::problem::Problem;
use calls::record::Record;
use calls::secret;
use calls::token::{Door, Token};
use calls::voice::{
    self, Kind, Report, ReportTo, SIGNATURE_HEADER, StartOrder, TIMESTAMP_HEADER, VoiceEvent,
};
use http::Request;
use serde_json::{Value, json};

/// Has the call's container started. What came of it is the event to keep.
pub(crate) async fn start(host: &impl Platform, id: CallId, record: &Record) -> Event {
    let at = host.now();
    match host.start_audio(id, &order(host, id, record)).await {
        Ok(()) => Event::AudioStarted { at },
        Err(Fault(cause)) => {
            settle::log(
                host,
                "error",
                "no voice container could be started",
                &id,
                &cause,
            );
            Event::AudioFailed {
                at,
                cause: "no voice container could be started".to_owned(),
            }
        }
    }
}

fn order(host: &impl Platform, id: CallId, record: &Record) -> StartOrder {
    let report = place::token(host, id, record, Door::Report);
    StartOrder {
        version: voice::ORDER_VERSION,
        kind: record.kind,
        call: record.id.clone(),
        engine: "offline".to_owned(),
        disclosure: record.agent.disclosure.clone(),
        greeting: record.agent.greeting.clone(),
        prompt: record.agent.prompt.clone(),
        agenda: record.agent.agenda.clone(),
        script: record.agent.answers.clone(),
        goodbye: record.agent.goodbye.clone(),
        opted_out: record.agent.opted_out.clone(),
        keys: record.agent.keys.clone(),
        transfer_to: record.agent.transfer_to.clone(),
        when_missing: record.when_missing,
        timezone: record.timezone.clone(),
        crm_s: record.crm_s,
        limits: record.limits,
        report: ReportTo {
            url: format!(
                "{}/internal/report/{report}",
                host.settings().report_base_url
            ),
            key: report_key(host, id),
        },
    }
}

/// The key a container signs its reports with: each call has its own.
fn report_key(host: &impl Platform, id: CallId) -> String {
    let key = host.settings().signing_key.expose().as_bytes();
    secret::sign(key, format!("report key:{id}").as_bytes())
}

/// `POST /internal/report/{token}`: what the container knows. Sent twice, it changes nothing.
pub(crate) async fn report(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    token: &str,
) -> Result<Reply, Problem> {
    let key = host.settings().signing_key.expose().as_bytes();
    let token = Token::read(token, key, Door::Report, host.now()).ok_or(Problem::Forged)?;
    let signature = header(request, SIGNATURE_HEADER);
    if !secret::signed(
        report_key(host, token.call).as_bytes(),
        request.body(),
        signature,
    ) {
        return Err(Problem::Forged);
    }
    let report: Report = serde_json::from_slice(request.body())
        .map_err(|error| Problem::Malformed(format!("The report does not read: {error}")))?;
    if CallId::parse(&report.call) != Some(token.call) {
        return Err(Problem::Forged);
    }
    let standing = ledger::read(host, token.call)
        .await?
        .ok_or_else(|| Problem::NoCall(token.call.to_string()))?;
    let same_call = |event: &VoiceEvent| match event {
        VoiceEvent::MediaStarted { call_sid, .. } => {
            standing.call.sid().is_none_or(|sid| sid == call_sid)
        }
        _ => true,
    };
    if !report.events.iter().all(same_call) {
        return Err(Problem::Forged);
    }
    let connected = |event: &VoiceEvent| matches!(event, VoiceEvent::Connected { .. });
    let asks = report.events.iter().any(connected);
    for event in &report.events {
        if let VoiceEvent::OptedOut { at, by } = event {
            // First: the answer to this report is what the agent waits for before it confirms.
            suppressions::opt_out(host, &standing.record, *at, *by).await?;
        }
    }
    let events = of_voice(&standing, report.events);
    let standing = ledger::add(host, token.call, &events).await?;
    settle::after(host, token.call, &standing).await?;
    let crm = match asks {
        true => inbound::ask_crm(host, token.call, &standing).await?,
        false => None,
    };
    Ok(match crm {
        Some(_) => reply::json_reply(200, &json!(voice::Answer { crm })),
        None => reply::empty(204),
    })
}

/// What a voice said, as events. Of a phone that nobody has answered yet, a voice's end is its loss: another takes its
/// place, and has an end of its own.
fn of_voice(standing: &Standing, said: Vec<VoiceEvent>) -> Vec<Event> {
    let waits = standing.record.kind == Kind::Phone
        && standing.call.ended().is_none()
        && standing.call.answered_at().is_none();
    // Media flow only after an answer, which may be told later.
    let media = |event: &VoiceEvent| matches!(event, VoiceEvent::MediaStarted { .. });
    let early = waits && !said.iter().any(media);
    let heard = said.into_iter().map(|event| match event {
        VoiceEvent::Ended { at, reason, .. } if early => VoiceEvent::Lost { at, cause: reason },
        event => event,
    });
    heard.map(Event::Voice).collect()
}

/// `GET /media/{token}`: Twilio opens the call's media socket. A host that cannot upgrade sends it to the launcher.
pub(crate) async fn media(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    token: &str,
) -> Result<Routed, Problem> {
    let key = host.settings().signing_key.expose().as_bytes();
    Token::read(token, key, Door::Provider, host.now()).ok_or(Problem::Forged)?;
    if let Some(elsewhere) = socket::at_launcher(host, request) {
        return Ok(Routed::Reply(elsewhere));
    }
    socket::need_upgrade(request)?;
    let id = may_open(host, request, token).await?;
    Ok(Routed::Socket(id))
}

/// `POST /internal/media/{token}`: the launcher asks whether it may open the call's media socket.
pub(crate) async fn authorize_media(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    token: &str,
) -> Result<Reply, Problem> {
    from_launcher(host, request)?;
    let asked: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    let signature = asked["signature"].as_str().unwrap_or_default();
    let mut upgrade = Request::new(Vec::new());
    if let Ok(signature) = signature.parse() {
        upgrade
            .headers_mut()
            .insert("x-twilio-signature", signature);
    }
    let id = may_open(host, &upgrade, token).await?;
    Ok(reply::json_reply(200, &json!({ "call": id.to_string() })))
}

/// The live call this token and Twilio's signature over the socket's address open.
async fn may_open(
    host: &impl Platform,
    upgrade: &Request<Vec<u8>>,
    token: &str,
) -> Result<CallId, Problem> {
    let (id, standing) = webhook::opened(host, token).await?;
    let url = media_url(host, token);
    webhook::check_signature(host, &standing, upgrade.headers(), &url, b"").await?;
    if standing.call.ended().is_some() {
        return Err(Problem::NoCall(id.to_string()));
    }
    Ok(id)
}

/// The WebSocket address Twilio is told: on the launcher where the host cannot upgrade.
pub(crate) fn media_url(host: &impl Platform, token: &str) -> String {
    let settings = host.settings();
    let base = settings
        .launcher
        .as_ref()
        .map_or(&settings.public_base_url, |launcher| &launcher.public_url);
    // https becomes wss, and http ws, which only loopback uses.
    format!("{}/media/{token}", base.replacen("http", "ws", 1))
}

/// Whether the launcher signed this request, not long ago. Without a launcher nothing is genuine.
pub(crate) fn from_launcher(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
) -> Result<(), Problem> {
    let launcher = host.settings().launcher.as_ref().ok_or(Problem::Forged)?;
    let message = (
        request.method().as_str(),
        request.uri().path(),
        request.body().as_slice(),
    );
    let timestamp = header(request, TIMESTAMP_HEADER);
    let signature = header(request, SIGNATURE_HEADER);
    if voice::launcher_signed(
        launcher.key.expose(),
        host.now(),
        timestamp,
        signature,
        message,
    ) {
        Ok(())
    } else {
        Err(Problem::Forged)
    }
}

fn header<'a>(request: &'a Request<Vec<u8>>, name: &str) -> &'a str {
    request
        .headers()
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}
