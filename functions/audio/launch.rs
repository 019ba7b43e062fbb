//! The launcher: starts one voice per call, leads media sockets to it, and gives Spin the clock it lacks.

mod docker;
mod gateway;
mod media;
mod process;
mod session;
mod sockets;
mod tick;

use crate::net;
use anyhow::Context as _;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use calls::secret::Secret;
use calls::voice::{SIGNATURE_HEADER, Session, StartSession, TIMESTAMP_HEADER, launcher_signed};
use docker::Docker;
use gateway::Gateway;
use process::Program;
use std::net::SocketAddr;
use std::sync::Arc;

/// What the launcher is told on its command line.
pub struct Settings {
    /// Where the gateway is.
    pub gateway: String,
    /// Where voices reach the gateway to report, if not where their orders say.
    pub report_gateway: Option<String>,
    pub mode: Mode,
    /// The voice container's image.
    pub image: String,
    /// Signs messages between gateway and launcher, either way.
    pub key: Secret,
}

/// What a voice runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A container where an engine runs and has the image, else a process.
    Auto,
    Docker,
    Process,
}

pub struct Launcher {
    gateway: Gateway,
    report_gateway: Option<String>,
    engine: Engine,
    sessions: session::Sessions,
    /// What voices let nobody else use them by.
    voice_key: String,
    http: reqwest::Client,
}

/// What starts voices.
enum Engine {
    Docker(Docker),
    Process(Program),
}

impl Launcher {
    /// `address` is where this launcher listens: it knows its own containers by it.
    pub async fn new(settings: Settings, address: SocketAddr) -> anyhow::Result<Arc<Launcher>> {
        let engine = match settings.mode {
            Mode::Process => Engine::Process(Program::find()?),
            Mode::Docker => Engine::Docker(Docker::with_image(&settings.image, address).await?),
            Mode::Auto => match Docker::with_image(&settings.image, address).await {
                Ok(docker) => Engine::Docker(docker),
                Err(error) => {
                    eprintln!("launcher: voices run as processes: {error:#}");
                    Engine::Process(Program::find()?)
                }
            },
        };
        if let Engine::Docker(docker) = &engine {
            let removed = docker.remove_leftovers().await;
            let removed = removed.context("an earlier launcher's containers cannot be removed")?;
            if removed > 0 {
                eprintln!("launcher: removed {removed} containers of an earlier launcher");
            }
        }
        let http = net::client()?;
        Ok(Arc::new(Launcher {
            gateway: Gateway::new(http.clone(), settings.gateway, settings.key),
            report_gateway: settings.report_gateway,
            engine,
            sessions: session::Sessions::default(),
            voice_key: uuid::Uuid::new_v4().simple().to_string(),
            http,
        }))
    }

    pub fn routes(self: &Arc<Launcher>) -> Router {
        Router::new()
            .route("/v1/sessions", post(start))
            .route("/v1/sessions/{call}", delete(stop))
            .route("/media/{token}", get(media::lead))
            .route("/ws/{bot_id}", get(sockets::dialler))
            .route(
                "/api/v1/voicing/ws/platform/api/chatbot",
                get(sockets::chatbot),
            )
            .route("/healthz", get(health))
            .with_state(self.clone())
            .layer(map_response(named))
    }

    /// Has the gateway do what is due, for ever.
    pub async fn tick(self: Arc<Launcher>) {
        tick::keep_ticking(self).await;
    }

    /// Ends every call and waits until every voice is gone.
    pub async fn shut_down(&self) {
        self.sessions.stop_all().await;
    }

    /// What voices run as: `docker` or `process`.
    pub fn engine(&self) -> &'static str {
        match self.engine {
            Engine::Docker(_) => "docker",
            Engine::Process(_) => "process",
        }
    }

    fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Option<Refusal> {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let signed = launcher_signed(
            self.gateway.key.expose(),
            crate::now(),
            header(TIMESTAMP_HEADER).unwrap_or_default(),
            header(SIGNATURE_HEADER).unwrap_or_default(),
            (method.as_str(), uri.path(), body),
        );
        (!signed).then(|| {
            (
                StatusCode::FORBIDDEN,
                "the signature is missing, old or wrong\n".to_owned(),
            )
        })
    }
}

type Refusal = (StatusCode, String);

async fn start(
    State(launcher): State<Arc<Launcher>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    if let Some(refusal) = launcher.check(&method, &uri, &headers, &body) {
        return Err(refusal);
    }
    let StartSession { order } = serde_json::from_slice(&body).map_err(|error| {
        (
            StatusCode::BAD_REQUEST,
            format!("no start order: {error}\n"),
        )
    })?;
    if uuid::Uuid::try_parse(&order.call).is_err() {
        return Err((
            StatusCode::BAD_REQUEST,
            "the call's id is no UUID\n".to_owned(),
        ));
    }
    let call = order.call.clone();
    session::start(&launcher, order);
    Ok((StatusCode::CREATED, Json(Session { call })).into_response())
}

async fn stop(
    State(launcher): State<Arc<Launcher>>,
    Path(call): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Refusal> {
    if let Some(refusal) = launcher.check(&method, &uri, &headers, &body) {
        return Err(refusal);
    }
    launcher.sessions.stop(&call);
    Ok(StatusCode::NO_CONTENT)
}

async fn health(State(launcher): State<Arc<Launcher>>) -> Json<serde_json::Value> {
    let (engine, live) = (launcher.engine(), launcher.sessions.live());
    Json(serde_json::json!({"status": "ok", "engine": engine, "calls": live}))
}

/// Every answer carries `x-request-id`: the gateway's own where it was asked, else one that is made here.
async fn named(mut response: Response) -> Response {
    let id = format!("req_{}", uuid::Uuid::new_v4().simple());
    if let Ok(id) = id.parse() {
        response.headers_mut().entry("x-request-id").or_insert(id);
    }
    response
}
