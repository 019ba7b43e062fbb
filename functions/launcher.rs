//! Orders to the launcher: how a host that cannot start containers has them started.

use crate::{Fault, Platform};
use calls::id::CallId;
use calls::settings::Launcher;
use calls::voice::{self, SIGNATURE_HEADER, StartOrder, StartSession, TIMESTAMP_HEADER};
use http::{Method, Request};

/// The launcher answers before the container runs; this is for its own trouble.
const TIMEOUT_MS: u64 = 5_000;

/// Has the launcher start the call's container. Twice starts nothing twice.
pub async fn start_session(host: &impl Platform, order: &StartOrder) -> Result<(), Fault> {
    let session = StartSession {
        order: order.clone(),
    };
    let body = serde_json::to_vec(&session).map_err(|error| Fault(error.to_string()))?;
    send(host, Method::POST, "/v1/sessions", body).await
}

/// Has the launcher stop the call's container.
pub async fn stop_session(host: &impl Platform, call: CallId) -> Result<(), Fault> {
    send(
        host,
        Method::DELETE,
        &format!("/v1/sessions/{call}"),
        Vec::new(),
    )
    .await
}

async fn send(
    host: &impl Platform,
    method: Method,
    path: &str,
    body: Vec<u8>,
) -> Result<(), Fault> {
    let launcher = host.settings().launcher.as_ref();
    let launcher = launcher.ok_or_else(|| Fault("no launcher is configured".to_owned()))?;
    let request = signed(host, launcher, method, path, body)?;
    let answer = host.send(request, TIMEOUT_MS).await;
    let answer =
        answer.map_err(|error| Fault(format!("the launcher did not answer: {error:?}")))?;
    match answer.status().as_u16() {
        200..=299 | 404 => Ok(()),
        status => Err(Fault(format!("the launcher answered {status}"))),
    }
}

fn signed(
    host: &impl Platform,
    launcher: &Launcher,
    method: Method,
    path: &str,
    body: Vec<u8>,
) -> Result<Request<Vec<u8>>, Fault> {
    let timestamp = host.now().unix_s();
    let signature = voice::sign_launcher(
        launcher.key.expose(),
        timestamp,
        method.as_str(),
        path,
        &body,
    );
    Request::builder()
        .method(method)
        .uri(format!("{}{path}", launcher.url))
        .header("content-type", "application/json")
        .header(TIMESTAMP_HEADER, timestamp.to_string())
        .header(SIGNATURE_HEADER, signature)
        .body(body)
        .map_err(|error| Fault(format!("LAUNCHER_URL is no URL: {error}")))
}
