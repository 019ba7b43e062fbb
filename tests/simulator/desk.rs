//! `/_sim`: what a test or a newcomer sees of the simulator, and the knobs to turn while a call lives.

use crate::call::Steer;
use crate::faults::Faults;
use crate::record::Record;
use crate::refusal::{Refusal, bad_request, not_found};
use crate::server::App;
use crate::speech::write_wav;
use crate::twilio::Stats;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

/// Which calls are asked for.
#[derive(Deserialize)]
pub(crate) struct Wanted {
    /// How the number dialled begins.
    #[serde(default)]
    to: String,
}

/// Every call, oldest first, or those to numbers that begin with `?to=`.
pub(crate) async fn calls(
    State(app): State<App>,
    Query(wanted): Query<Wanted>,
) -> Json<Vec<Record>> {
    let calls = app.calls();
    let calls = calls
        .iter()
        .filter(|call| call.order.to.starts_with(&wanted.to));
    Json(calls.map(|call| call.record().clone()).collect())
}

/// Forgets the ended ones.
pub(crate) async fn forget(State(app): State<App>) -> Json<Value> {
    Json(json!({ "forgotten": app.forget_ended() }))
}

pub(crate) async fn call(
    State(app): State<App>,
    Path(sid): Path<String>,
) -> Result<Json<Record>, Refusal> {
    let call = app.call(&sid).ok_or_else(|| not_found(&sid))?;
    let record = call.record().clone();
    Ok(Json(record))
}

/// What to do to a live call.
#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub(crate) enum Action {
    /// The person called hangs up (while it rings: declines).
    Hangup,
    /// The person presses one or more keys.
    Dtmf { digit: String },
    /// The person speaks now, into whatever the agent is saying.
    Speak,
    /// The media socket breaks.
    DropMedia,
}

pub(crate) async fn steer(
    State(app): State<App>,
    Path(sid): Path<String>,
    Json(action): Json<Action>,
) -> Result<StatusCode, Refusal> {
    let call = app.call(&sid).ok_or_else(|| not_found(&sid))?;
    if call.record().is_over() {
        let mut refusal = bad_request(21220, "Call is not in-progress.");
        refusal.status = 409;
        return Err(refusal);
    }
    match action {
        Action::Hangup => call.steer(Steer::ContactHangsUp, "sim", "hangup"),
        Action::Speak => call.steer(Steer::Speak, "sim", "speak"),
        Action::DropMedia => call.steer(Steer::DropMedia, "sim", "drop_media"),
        Action::Dtmf { digit } => {
            let known = |key| "0123456789*#ABCD".contains(key);
            if digit.is_empty() || !digit.chars().all(known) {
                return Err(bad_request(20001, "digit must be of 0-9, *, #, A-D"));
            }
            for key in digit.chars() {
                call.steer(Steer::Dtmf(key), "sim", format!("dtmf {key}"));
            }
        }
    }
    Ok(StatusCode::ACCEPTED)
}

/// `agent.wav` and `caller.wav`: what was heard from each side, in real time from the first stream's start.
pub(crate) async fn audio(
    State(app): State<App>,
    Path((sid, file)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let call = app.call(&sid).ok_or_else(|| not_found(&sid))?;
    let audio = call.audio();
    let samples = match file.as_str() {
        "agent.wav" => &audio.agent,
        "caller.wav" => &audio.caller,
        _ => return Err(not_found(&file)),
    };
    if audio.forgotten {
        // Gone rather than empty, so that nobody takes it for a silent call.
        return Ok(StatusCode::GONE.into_response());
    }
    let wav = write_wav(samples, 1);
    Ok(([(header::CONTENT_TYPE, "audio/x-wav")], wav).into_response())
}

pub(crate) async fn stats(State(app): State<App>) -> Json<Stats> {
    Json(app.stats())
}

/// The numbers a request about faults is for; all of them without.
type To = Option<Path<String>>;

pub(crate) async fn faults(State(app): State<App>, to: To) -> Json<Value> {
    let (faults, held) = app.faults().show(to.as_deref().map(String::as_str));
    let mut shown = json!(faults);
    shown["held"] = json!(held);
    Json(shown)
}

pub(crate) async fn set_faults(
    State(app): State<App>,
    to: To,
    Json(faults): Json<Faults>,
) -> Json<Faults> {
    app.faults().set(to.map(|Path(to)| to), faults.clone());
    Json(faults)
}

pub(crate) async fn forget_faults(State(app): State<App>, to: To) -> StatusCode {
    app.faults().forget(to.as_deref().map(String::as_str));
    StatusCode::NO_CONTENT
}
