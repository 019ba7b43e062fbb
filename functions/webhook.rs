//! `webhook`: what Twilio tells and asks. Nothing is read before token and signature are checked.

use crate::ledger::{self, Standing};
use crate::reply::{self, Reply};
use crate::{Platform, mailbox, settle, sids, voice};
use calls::event::Event;
use calls::id::CallId;
use calls::problem::Problem;
use calls::secret::Secret;
use calls::token::{Door, Token};
use calls::twilio::callback::Form;
use calls::twilio::{signature, twiml};
use http::{HeaderMap, Request};

/// `POST /callbacks/status/{token}`
pub(crate) async fn status(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    token: &str,
) -> Result<Reply, Problem> {
    let (id, form, _) = genuine(host, request, token).await?;
    // A status Twilio may invent one day is acknowledged, or it would be sent again.
    if let Some(events) = form.status(host.now()) {
        let standing = ledger::add(host, id, &events).await?;
        if form.answered_by(host.now()).is_some() {
            mailbox::answered(host, id, &form, &standing).await?;
        }
        settle::after(host, id, &standing).await?;
    }
    Ok(reply::empty(204))
}

/// `POST /callbacks/amd/{token}`: what answered, once Twilio has listened long enough to tell.
pub(crate) async fn answered_by(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    token: &str,
) -> Result<Reply, Problem> {
    let (id, form, _) = genuine(host, request, token).await?;
    let Some(event) = form.answered_by(host.now()) else {
        return Ok(reply::empty(204));
    };
    let standing = ledger::add(host, id, &[event]).await?;
    mailbox::answered(host, id, &form, &standing).await?;
    settle::after(host, id, &standing).await?;
    Ok(reply::empty(204))
}

/// `POST /callbacks/recording/{token}`: it may come after the call's end and only adds.
pub(crate) async fn recording(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    token: &str,
) -> Result<Reply, Problem> {
    let (id, form, _) = genuine(host, request, token).await?;
    if let Some(event) = form.recording(host.now()) {
        ledger::add(host, id, &[event]).await?;
    }
    Ok(reply::empty(204))
}

/// `POST /twiml/{token}`: the call was answered. Asked twice, it is answered the same.
pub(crate) async fn twiml(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    token: &str,
) -> Result<Reply, Problem> {
    let (id, form, _) = genuine(host, request, token).await?;
    let sid = form.call_sid().unwrap_or_default().to_owned();
    let at = host.now();
    let mut events = vec![Event::TwimlFetched { at, sid }];
    events.extend(form.answered_by(at));
    let standing = ledger::add(host, id, &events).await?;
    if events.len() > 1 {
        mailbox::answered(host, id, &form, &standing).await?;
    }
    if standing.call.ended().is_some() || standing.call.has("hangup-asked") {
        return Ok(reply::xml_reply(twiml::hang_up()));
    }
    let media = voice::media_url(host, token);
    if standing.call.has("audio-started") && !standing.call.has("voice-lost") {
        return Ok(reply::xml_reply(twiml::connect(&media)));
    }
    // The start was cut short or failed, or the voice was lost while the phone rang: the last chance before a person
    // hears silence.
    let started = voice::start(host, id, &standing.record).await;
    let answer = match started {
        Event::AudioStarted { .. } => twiml::connect(&media),
        _ => twiml::apologize("We are sorry, this call cannot be continued."),
    };
    ledger::add(host, id, &[started]).await?;
    Ok(reply::xml_reply(answer))
}

/// The call a callback is about, its form, and how the call stood before it, if Twilio signed it for this very call.
pub(crate) async fn genuine(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    token: &str,
) -> Result<(CallId, Form, Standing), Problem> {
    let (id, standing) = opened(host, token).await?;
    let path = request
        .uri()
        .path_and_query()
        .map_or("", |path| path.as_str());
    let url = format!("{}{path}", host.settings().public_base_url);
    check_signature(host, &standing, request.headers(), &url, request.body()).await?;
    let form = Form::read(request.body());
    let account = form.account_sid() == Some(standing.record.telephony.account_sid.as_str());
    let sid = form
        .call_sid()
        .is_some_and(|sid| standing.call.sid().is_none_or(|known| known == sid));
    if !account || !sid {
        return Err(Problem::Forged);
    }
    if let (None, Some(sid)) = (standing.call.sid(), form.call_sid()) {
        // Before anybody looks for it: Twilio comes to this call's own address, so the SID is its.
        sids::told(host, &standing.record, sid, id).await;
    }
    Ok((id, form, standing))
}

/// The call a provider token opens.
pub(crate) async fn opened(
    host: &impl Platform,
    token: &str,
) -> Result<(CallId, Standing), Problem> {
    let key = host.settings().signing_key.expose().as_bytes();
    let token = Token::read(token, key, Door::Provider, host.now()).ok_or(Problem::Forged)?;
    let standing = ledger::read(host, token.call).await?;
    let standing = standing.filter(|standing| standing.record.organization == token.organization);
    Ok((
        token.call,
        standing.ok_or_else(|| Problem::NoCall(token.call.to_string()))?,
    ))
}

/// Whether Twilio signed a request to `url`, with the account's token of now or with the one the call began with: either
/// may be Twilio's while it is being replaced. A refusal is logged with the address it was computed over:
/// a public base URL that is not the one Twilio uses is what usually goes wrong.
pub(crate) async fn check_signature(
    host: &impl Platform,
    standing: &Standing,
    headers: &HeaderMap,
    url: &str,
    body: &[u8],
) -> Result<(), Problem> {
    let given = headers
        .get("x-twilio-signature")
        .and_then(|value| value.to_str().ok());
    let fits =
        |auth: &Secret| given.is_some_and(|given| signature::genuine(auth, given, url, body));
    // First the one that nobody has to be asked for.
    if ledger::stored_credential(host, &standing.record).is_ok_and(|auth| fits(&auth)) {
        return Ok(());
    }
    if given.is_some() && fits(&ledger::credential(host, &standing.record).await?) {
        return Ok(());
    }
    let base = host.settings().public_base_url.as_str();
    let expected = match given {
        Some(_) => format!(
            "the signature does not fit an address that begins with {base}: is PUBLIC_BASE_URL what Twilio requests?"
        ),
        None => "no X-Twilio-Signature header".to_owned(),
    };
    if let Some(id) = standing.record.call_id() {
        settle::log(host, "warn", "a callback was refused", &id, &expected);
    }
    Err(Problem::Forged)
}
