//! Leads a media socket to its call's voice. The bytes pass unread, so that nothing is added or lost.

use super::gateway::ANSWER;
use super::session::Phase;
use super::{Launcher, Refusal};
use crate::net;
use anyhow::Context as _;
use axum::extract::{Path, Request, State};
use axum::http::header::{CONNECTION, UPGRADE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::copy_bidirectional;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How long a socket may wait for its voice.
const READY: Duration = Duration::from_secs(10);
/// How long the last bytes may take when the voice is gone.
const LAST_BYTES: Duration = Duration::from_secs(2);
/// The headers of a WebSocket handshake that both ends must agree on.
const HANDSHAKE: [&str; 5] = [
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
    "sec-websocket-accept",
];

#[derive(Deserialize)]
struct Authorized {
    call: String,
}

/// `GET /media/{token}`
pub(super) async fn lead(
    State(launcher): State<Arc<Launcher>>,
    Path(token): Path<String>,
    mut request: Request,
) -> Result<Response, Refusal> {
    let upgrade = upgrade_of(&mut request).ok_or((
        StatusCode::UPGRADE_REQUIRED,
        "this is a WebSocket\n".to_owned(),
    ))?;
    if !is_segment(&token) {
        return Err((
            StatusCode::NOT_FOUND,
            "no media for this address\n".to_owned(),
        ));
    }
    let call = authorize(&launcher, &token, request.headers()).await?;
    join(&launcher, call, upgrade, request.headers()).await
}

/// Has the call's voice answer the upgrade, and passes what follows either way.
pub(super) async fn join(
    launcher: &Launcher,
    call: String,
    upgrade: OnUpgrade,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    let phase = launcher.sessions.phase(&call);
    let mut phase = phase.ok_or((
        StatusCode::NOT_FOUND,
        "no voice was started for this call\n".to_owned(),
    ))?;
    let url = voice_of(&mut phase).await?;

    let opened = open(launcher, &format!("{url}/calls/{call}/stream"), headers).await;
    let voice = opened.map_err(|error| {
        eprintln!("call {call}: {error:#}");
        (
            StatusCode::BAD_GATEWAY,
            "the voice does not answer\n".to_owned(),
        )
    })?;
    if voice.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err((voice.status(), voice.text().await.unwrap_or_default()));
    }
    let headers = handshake(voice.headers());
    tokio::spawn(async move {
        let passing = async {
            let mut outside = TokioIo::new(upgrade.await.context("the upgrade failed")?);
            let mut voice = voice
                .upgrade()
                .await
                .context("the voice's upgrade failed")?;
            copy_bidirectional(&mut outside, &mut voice).await?;
            Ok::<(), anyhow::Error>(())
        };
        let gone = async {
            // An error means that the session's task is gone, and its voice with it.
            let _ = phase.wait_for(|phase| *phase == Phase::Gone).await;
            sleep(LAST_BYTES).await;
        };
        tokio::select! {
            passed = passing => if let Err(error) = passed {
                eprintln!("call {call}: media: {error:#}");
            },
            () = gone => {}
        }
    });
    Ok((StatusCode::SWITCHING_PROTOCOLS, headers).into_response())
}

/// The upgrade the request asks for, if it does.
pub(super) fn upgrade_of(request: &mut Request) -> Option<OnUpgrade> {
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    upgrade.filter(|_| request.headers().contains_key("sec-websocket-key"))
}

/// Whether this can stand as one segment of a path: letters that mean nothing in one.
fn is_segment(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.contains(|c| c != '.') && text.chars().all(plain)
}

/// Asks the gateway whose media this is.
async fn authorize(
    launcher: &Launcher,
    token: &str,
    headers: &HeaderMap,
) -> Result<String, Refusal> {
    let unsure = |cause: String| {
        eprintln!("launcher: the gateway cannot be asked for media: {cause}");
        (
            StatusCode::BAD_GATEWAY,
            "the gateway does not answer\n".to_owned(),
        )
    };
    let signature = headers.get("x-twilio-signature");
    let signature = signature.and_then(|value| value.to_str().ok());
    let body = json!({"signature": signature.unwrap_or_default()}).to_string();
    let path = format!("/internal/media/{token}");
    let answer = launcher.gateway.post(&path, body, ANSWER).await;
    let answer = answer.map_err(|error| unsure(net::why(error)))?;
    match answer.status() {
        StatusCode::OK => {
            let authorized: Authorized = answer
                .json()
                .await
                .map_err(|error| unsure(net::why(error)))?;
            Ok(authorized.call)
        }
        status @ (StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) => {
            Err((status, "no media for this address\n".to_owned()))
        }
        status => Err(unsure(status.to_string())),
    }
}

/// Waits until the voice has its order.
async fn voice_of(phase: &mut watch::Receiver<Phase>) -> Result<String, Refusal> {
    let settled = timeout(READY, phase.wait_for(|phase| *phase != Phase::Starting)).await;
    match settled.as_ref().map(|phase| phase.as_deref()) {
        Ok(Ok(Phase::Ready { url })) => Ok(url.clone()),
        Ok(_) => Err((StatusCode::GONE, "this call's voice is gone\n".to_owned())),
        Err(_) => Err((
            StatusCode::GATEWAY_TIMEOUT,
            "the voice takes too long to start\n".to_owned(),
        )),
    }
}

async fn open(
    launcher: &Launcher,
    url: &str,
    headers: &HeaderMap,
) -> anyhow::Result<reqwest::Response> {
    let request = launcher
        .http
        .get(url)
        .bearer_auth(&launcher.voice_key)
        .headers(handshake(headers));
    let answer = timeout(READY, request.send())
        .await
        .context("the voice takes too long")?;
    answer
        .map_err(|error| error.without_url())
        .context("the voice's socket does not open")
}

fn handshake(headers: &HeaderMap) -> HeaderMap {
    let mut kept: HeaderMap = headers
        .iter()
        .filter(|(name, _)| HANDSHAKE.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    kept.insert(CONNECTION, "upgrade".parse().expect("a header value"));
    kept.insert(UPGRADE, "websocket".parse().expect("a header value"));
    kept
}
