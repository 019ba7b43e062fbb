//! A machine that answered: it is hung up on, talked to, or left a message. The message is spoken by Twilio and not by
//! the voice container: it needs no more than a document, also when the container is lost.

use crate::ledger::{self, Standing};
use crate::reply::{self, Reply};
use crate::{Owner, Platform, SendError, documents, place, reconcile, settle, webhook};
use calls::config::OnMachine;
use calls::event::Event;
use calls::id::CallId;
use calls::problem::Problem;
use calls::time::Time;
use calls::twilio::callback::Form;
use calls::twilio::{dial, twiml};
use calls::voice::EndedBy;
use http::Request;
use serde::{Deserialize, Serialize};

/// The call's document that says who has the message spoken: it is not begun twice.
const NAME: &str = "message";

#[derive(Default, Serialize, Deserialize)]
struct Message {
    begun_at: Option<Time>,
}

/// Does with a machine what the agent does with machines, on any callback that tells of one. An error has Twilio
/// repeat the callback, and so this.
pub(crate) async fn answered(
    host: &impl Platform,
    id: CallId,
    form: &Form,
    standing: &Standing,
) -> Result<(), Problem> {
    let over = standing.call.ended().is_some() || standing.call.provider_ended();
    let Some(sid) = standing.call.sid().or(form.call_sid()) else {
        return Ok(());
    };
    if over || !standing.call.machine() {
        return Ok(());
    }
    match standing.record.on_machine {
        OnMachine::HangUp => hang_up(host, id, standing, sid).await,
        OnMachine::Continue | OnMachine::Ignore => Ok(()),
        OnMachine::LeaveMessage if form.mailbox_listens() => speak(host, id, standing, sid).await,
        OnMachine::LeaveMessage if standing.call.answered_by() == Some("fax") => {
            hang_up(host, id, standing, sid).await
        }
        OnMachine::LeaveMessage => Ok(()),
    }
}

async fn hang_up(
    host: &impl Platform,
    id: CallId,
    standing: &Standing,
    sid: &str,
) -> Result<(), Problem> {
    let asked = Event::HangupAsked {
        at: host.now(),
        by: EndedBy::Agent,
    };
    ledger::add(host, id, &[asked]).await?;
    match settle::hang_up(host, &standing.record, sid).await {
        true => Ok(()),
        false => Err(Problem::Broken(
            "a machine could not be hung up on".to_owned(),
        )),
    }
}

/// Has Twilio leave the conversation and speak the message.
async fn speak(
    host: &impl Platform,
    id: CallId,
    standing: &Standing,
    sid: &str,
) -> Result<(), Problem> {
    let auth = ledger::credential(host, &standing.record).await?;
    let url = address(host, id, standing, "message");
    let request = dial::go_on_with(&standing.record, &auth, sid, &url)
        .ok_or_else(|| Problem::Broken("the API base URL is no URL".to_owned()))?;
    let owner = Owner::Call(id);
    let now = host.now();
    let first = documents::change(host, &owner, NAME, |message: &mut Message| {
        let first = message.begun_at.is_none();
        message.begun_at.get_or_insert(now);
        first
    })
    .await?;
    if !first {
        return Ok(());
    }
    let cause = match host.send(request, reconcile::ASK_MS).await {
        Ok(answer) if answer.status().is_success() => return Ok(()),
        Ok(answer) => format!("the provider answered {}", answer.status()),
        Err(SendError::NotSent(cause)) => cause,
        // It may be spoken at this moment: begun again, the mailbox would have it one and a half times.
        Err(SendError::Unclear(cause)) => {
            settle::log(host, "warn", "a message may not be left", &id, &cause);
            return Ok(());
        }
    };
    documents::change(host, &owner, NAME, |message: &mut Message| {
        message.begun_at = None;
    })
    .await?;
    Err(Problem::Broken(format!(
        "a message could not be left: {cause}"
    )))
}

/// `POST /twiml/{token}/message`: Twilio asks what to say to the mailbox.
pub(crate) async fn message(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    token: &str,
) -> Result<Reply, Problem> {
    let (id, _, _) = webhook::genuine(host, request, token).await?;
    let started = Event::MessageStarted { at: host.now() };
    let standing = ledger::add(host, id, &[started]).await?;
    let text = standing.record.voicemail_message.as_deref();
    let twiml = match text.filter(|_| standing.call.ended().is_none()) {
        Some(text) => twiml::message(text, &address(host, id, &standing, "left")),
        None => twiml::hang_up(),
    };
    Ok(reply::xml_reply(twiml))
}

/// `POST /twiml/{token}/left`: the message was spoken to its end.
pub(crate) async fn left(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    token: &str,
) -> Result<Reply, Problem> {
    let (id, _, _) = webhook::genuine(host, request, token).await?;
    ledger::add(host, id, &[Event::MessageLeft { at: host.now() }]).await?;
    Ok(reply::xml_reply(twiml::hang_up()))
}

fn address(host: &impl Platform, id: CallId, standing: &Standing, what: &str) -> String {
    let token = place::provider_token(host, id, &standing.record);
    let base = &host.settings().public_base_url;
    format!("{base}/twiml/{token}/{what}")
}
