//! Diallers' and chats' sockets, where the gateway cannot hold them: it is asked first, and opens the call if all is well.
//! Whatever goes wrong before the upgrade is answered in the words of the API whose path it is.

use super::Launcher;
use super::media::{join, upgrade_of};
use crate::net;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use calls::dialect::Dialect;
use calls::dialect::dialout::Dialout;
use calls::dialect::voicing::Voicing;
use calls::problem::Problem;
use serde::Deserialize;
use std::sync::Arc;

/// What a key may stand in; the query is passed on as well.
const KEYS: [&str; 2] = ["x-api-key", "authorization"];
/// What the gateway's refusals say beside their bodies.
const TOLD: [&str; 4] = [
    "content-type",
    "retry-after",
    "x-error-code",
    "x-request-id",
];

#[derive(Deserialize)]
struct Opened {
    call: String,
}

/// `GET /ws/{bot_id}`
pub(super) async fn dialler(
    State(launcher): State<Arc<Launcher>>,
    Path(bot): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    // Clients and proxies take these for steps along the path, however they are written.
    if matches!(bot.as_str(), "." | "..") {
        return refusal(&Dialout, &Problem::NoAgent(bot));
    }
    let path = format!("/internal/ws/{}", segment(&bot));
    lead(&launcher, &Dialout, (&path, query), request).await
}

/// `GET /api/v1/voicing/ws/platform/api/chatbot`
pub(super) async fn chatbot(
    State(launcher): State<Arc<Launcher>>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    lead(&launcher, &Voicing, ("/internal/chat", query), request).await
}

/// Any text as one segment of a path.
fn segment(text: &str) -> String {
    let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    // In a path a plus sign is one; those that were in the text are encoded.
    encoded.replace('+', "%20")
}

async fn lead(
    launcher: &Launcher,
    dialect: &dyn Dialect,
    (path, query): (&str, Option<String>),
    mut request: Request,
) -> Response {
    let Some(upgrade) = upgrade_of(&mut request) else {
        return refusal(dialect, &Problem::UpgradeRequired);
    };
    let keys = chosen(request.headers(), &KEYS);
    let answer = launcher.gateway.ask(path, query.as_deref(), keys).await;
    let answer = match answer {
        Ok(answer) if answer.status() == StatusCode::OK => answer,
        Ok(answer) => return refused(answer).await,
        Err(error) => {
            let cause = net::why(error);
            eprintln!("launcher: the gateway cannot be asked for a socket: {cause}");
            return refusal(dialect, &Problem::NoVoice);
        }
    };
    let call = match answer.json().await {
        Ok(Opened { call }) => call,
        Err(error) => {
            let cause = net::why(error);
            eprintln!("launcher: the gateway names no call for a socket: {cause}");
            return refusal(dialect, &Problem::NoVoice);
        }
    };
    match join(launcher, call.clone(), upgrade, request.headers()).await {
        Ok(response) => response,
        Err((status, why)) => {
            // A voice that is still there gives up waiting and says so.
            eprintln!("call {call}: {status}: {}", why.trim());
            refusal(dialect, &Problem::NoVoice)
        }
    }
}

/// A refusal of the gateway's, as it is.
async fn refused(answer: reqwest::Response) -> Response {
    let (status, headers) = (answer.status(), chosen(answer.headers(), &TOLD));
    match answer.bytes().await {
        Ok(body) => (status, headers, body).into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

fn refusal(dialect: &dyn Dialect, problem: &Problem) -> Response {
    let (status, body) = dialect.show_problem(problem);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut headers = HeaderMap::new();
    if let Ok(code) = problem.code().parse() {
        headers.insert("x-error-code", code);
    }
    if let Some(seconds) = problem.retry_after_s() {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    (status, headers, axum::Json(body)).into_response()
}

fn chosen(headers: &HeaderMap, names: &[&str]) -> HeaderMap {
    headers
        .iter()
        .filter(|(name, _)| names.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
