//! A machine that answered: it is hung up on, talked to, or left a message. The message is spoken by Twilio and not by
//! the voice container: it needs no more than a document, also when the container is lost.

use crate::ledger::{self, Standing};
use crate::reply::{self, Reply};
use crate::{Fault, Owner, Platform, SendError, documents, place, reconcile, settle, webhook};
use calls::config::OnMachine;
use calls::event::{Event, FAX};
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
/// How long after it was begun Twilio has come for the message, in milliseconds: its answer, and a margin.
const CLAIM_MS: u64 = reconcile::ASK_MS + 4_000;

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
        OnMachine::LeaveMessage if standing.call.answered_by() == Some(FAX) => {
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

/// Begins a message again for which Twilio has not come: whoever began it broke off, or Twilio did not hear of it.
pub(crate) async fn begin_again(
    host: &impl Platform,
    id: CallId,
    standing: &Standing,
) -> Result<(), Fault> {
    let due = standing.record.on_machine == OnMachine::LeaveMessage
        && standing.call.mailbox_listens()
        && !standing.call.has("message-started")
        && !standing.call.has("hangup-asked")
        && !standing.call.provider_ended();
    let Some(sid) = standing.call.sid().filter(|_| due) else {
        return Ok(());
    };
    let message: Message = documents::read(host, &Owner::Call(id), NAME).await?;
    if message.begun_at.is_none() {
        return Ok(());
    }
    // The call goes on without it.
    if let Err(problem) = speak(host, id, standing, sid).await {
        let cause = problem.cause().unwrap_or(problem.code());
        settle::log(host, "warn", "a message was not left", &id, cause);
    }
    Ok(())
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
    if standing.call.has("message-started") {
        return Ok(());
    }
    let owner = Owner::Call(id);
    let now = host.now();
    // First: whoever breaks off from here on, it is looked after.
    host.wake_at(id, Time(now.0 + CLAIM_MS)).await?;
    let mine = documents::change(host, &owner, NAME, |message: &mut Message| {
        let begun = message.begun_at;
        let free = begun.is_none_or(|at| now.0 >= at.0 + CLAIM_MS);
        if free {
            message.begun_at = Some(now);
        }
        free
    })
    .await?;
    if !mine {
        return Ok(());
    }
    let cause = match host.send(request, reconcile::ASK_MS).await {
        Ok(answer) if answer.status().is_success() => return Ok(()),
        Ok(answer) => format!("the provider answered {}", answer.status()),
        Err(SendError::NotSent(cause)) => cause,
        // It may be spoken at this moment: begun again now, the mailbox would have it one and a half times.
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
    let (id, _, standing) = webhook::genuine(host, request, token).await?;
    let over = standing.call.ended().is_some() || standing.call.has("hangup-asked");
    let text = standing.record.voicemail_message.as_deref();
    let Some(text) = text.filter(|_| !over) else {
        return Ok(reply::xml_reply(twiml::hang_up()));
    };
    let started = Event::MessageStarted { at: host.now() };
    let speaks = ledger::add(host, id, &[started]).await?;
    if let Some(deadline) = speaks.call.deadline(&speaks.record) {
        host.wake_at(id, deadline).await?;
    }
    let left = address(host, id, &standing, "left");
    Ok(reply::xml_reply(twiml::message(text, &left)))
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
