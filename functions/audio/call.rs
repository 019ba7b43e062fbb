//! The voice container's HTTP interface: one order, one stream, one end.

mod clock;
mod conversation;
mod hearing;
mod line;
mod texting;

use crate::report::Reporter;
use crate::speech;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get, post};
use calls::secret;
use calls::voice::{Kind, ORDER_VERSION, StartOrder};
use conversation::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

/// How long a voice waits for its order.
const FIRST_ORDER: Duration = Duration::from_secs(120);

/// The largest message that is taken in at all, in bytes. One below it that is too large still gets a proper answer.
const MESSAGE_LIMIT: usize = 1024 * 1024;

/// One voice container: empty, then busy with its one call, then over.
pub struct Voice {
    /// `VOICE_KEY`: what requests must bear, where others share the machine.
    key: Option<String>,
    call: Mutex<Option<Call>>,
    draining: AtomicBool,
    /// Whether the call's last report was acknowledged, once there is no more to do.
    over: watch::Sender<Option<bool>>,
}

struct Call {
    id: String,
    commands: mpsc::UnboundedSender<Command>,
    streaming: bool,
}

type Refusal = (StatusCode, String);

impl Voice {
    pub fn new(key: Option<String>) -> Arc<Voice> {
        Arc::new(Voice {
            key,
            call: Mutex::default(),
            draining: AtomicBool::new(false),
            over: watch::Sender::new(None),
        })
    }

    pub fn routes(self: &Arc<Voice>) -> Router {
        Router::new()
            .route("/calls", post(start))
            .route("/calls/{id}", delete(stop))
            .route("/calls/{id}/stream", any(stream))
            .route_layer(middleware::from_fn_with_state(self.clone(), check_key))
            .route("/healthz", get(|| async { "ok\n" }))
            .with_state(self.clone())
    }

    /// Waits for the end of the call and its last report, and says whether that was acknowledged.
    pub async fn over(&self) -> bool {
        let mut over = self.over.subscribe();
        let acknowledged = over.wait_for(Option::is_some).await;
        acknowledged.is_ok_and(|value| value.unwrap_or(false))
    }

    /// Exits if it is given no order for too long: whoever started it has forgotten it.
    pub async fn give_up_waiting(self: Arc<Voice>) {
        sleep(FIRST_ORDER).await;
        if self.call().is_none() {
            self.end();
        }
    }

    /// Takes no new call; a live one goes on, unless this is asked for again.
    pub fn drain(&self) {
        let again = self.draining.swap(true, Ordering::Relaxed);
        if again || self.call().is_none() {
            self.end();
        }
    }

    /// Takes no new call and ends a live one.
    pub fn end(&self) {
        self.end_by(Command::Stop);
    }

    /// Takes no new call and gives a live one up as lost: the launcher that led its socket here was killed.
    pub fn abandon(&self) {
        self.end_by(Command::Abandon);
    }

    fn end_by(&self, command: Command) {
        self.draining.store(true, Ordering::Relaxed);
        match &*self.call() {
            None => _ = self.over.send_replace(Some(true)),
            // Fails only when the call is over already.
            Some(call) => _ = call.commands.send(command),
        }
    }

    fn call(&self) -> MutexGuard<'_, Option<Call>> {
        self.call.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn check_key(State(voice): State<Arc<Voice>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(AUTHORIZATION);
    let given = given.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    match &voice.key {
        Some(key) if !given.is_some_and(|given| secret::same(key, given)) => {
            (StatusCode::UNAUTHORIZED, "the key is missing or wrong\n").into_response()
        }
        _ => next.run(request).await,
    }
}

async fn start(State(voice): State<Arc<Voice>>, body: Bytes) -> Result<StatusCode, Refusal> {
    let refuse = |status, why: &str| Err((status, format!("{why}\n")));
    let order: StartOrder = match serde_json::from_slice(&body) {
        Ok(order) => order,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, &format!("no start order: {error}")),
    };
    let mut call = voice.call();
    match &*call {
        Some(call) if call.id == order.call => return Ok(StatusCode::OK),
        Some(_) => return refuse(StatusCode::CONFLICT, "busy with another call"),
        None => {}
    }
    if voice.draining.load(Ordering::Relaxed) {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "shutting down");
    }
    if !(1..=ORDER_VERSION).contains(&order.version) || order.engine != "offline" {
        let why = "this voice understands versions 1 and 2 and the engine `offline` alone";
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, why);
    }
    let flite = match (order.kind, speech::find_flite()) {
        (Kind::Chat, _) => None,
        (Kind::Phone | Kind::Dialler, Some(flite)) => Some(flite),
        (Kind::Phone | Kind::Dialler, None) => {
            let why = "the engine `offline` speaks with the program `flite`, which is neither named by FLITE nor on PATH";
            return refuse(StatusCode::SERVICE_UNAVAILABLE, why);
        }
    };
    let reporter = Reporter::start(&order.call, &order.report)
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")))?;
    let (commands, incoming) = mpsc::unbounded_channel();
    *call = Some(Call {
        id: order.call.clone(),
        commands: commands.clone(),
        streaming: false,
    });
    let over = voice.over.clone();
    tokio::spawn(async move {
        match flite {
            Some(flite) => {
                conversation::hold(order, flite, &reporter, commands, incoming).await;
            }
            None => texting::hold(order, &reporter, incoming).await,
        }
        over.send_replace(Some(reporter.finish().await));
    });
    Ok(StatusCode::CREATED)
}

async fn stream(
    State(voice): State<Arc<Voice>>,
    Path(id): Path<String>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Refusal> {
    let mut call = voice.call();
    let Some(call) = call.as_mut().filter(|call| call.id == id) else {
        return Err((StatusCode::NOT_FOUND, "no such call here\n".to_owned()));
    };
    if std::mem::replace(&mut call.streaming, true) {
        let why = "this call has its stream already\n".to_owned();
        return Err((StatusCode::CONFLICT, why));
    }
    let commands = call.commands.clone();
    let upgrade = upgrade
        .max_message_size(MESSAGE_LIMIT)
        .max_frame_size(MESSAGE_LIMIT);
    Ok(upgrade.on_upgrade(|socket| async move {
        // Fails only when the call is over: the socket is then dropped.
        let _ = commands.send(Command::Stream(Box::new(socket)));
    }))
}

async fn stop(
    State(voice): State<Arc<Voice>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    match &*voice.call() {
        Some(call) if call.id == id => {
            // Fails only when the call is over already.
            let _ = call.commands.send(Command::Stop);
            Ok(StatusCode::NO_CONTENT)
        }
        _ => Err((StatusCode::NOT_FOUND, "no such call here\n".to_owned())),
    }
}
