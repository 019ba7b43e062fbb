//! What surrounds a voice, except Twilio: the gateway, orders, and a speech program that needs no installation.

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use calls::config::WhenMissing;
use calls::time::Time;
use calls::voice::{
    EndedBy, Kind, Limits, Report, ReportTo, SIGNATURE_HEADER, StartOrder, TIMESTAMP_HEADER,
    VoiceEvent, launcher_signed, sign_report,
};
use calls::wake::{Due, Ticked, Wake};
use serde_json::json;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;
use tokio::time::timeout;

pub(crate) const KEY: &str = "a key for tests alone";
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A gateway that takes reports and authorizes media.
#[derive(Clone)]
pub(crate) struct Gateway {
    pub(crate) url: String,
    inner: Arc<Inner>,
}

struct Inner {
    events: watch::Sender<Vec<VoiceEvent>>,
    ticks: watch::Sender<u32>,
    /// What the next tick gives out.
    due: Mutex<Vec<Due>>,
    /// Calls that were woken, with their tickets, in order.
    woken: watch::Sender<Vec<String>>,
    /// The call whose waking takes as long as it stands here.
    slow: watch::Sender<Option<String>>,
    /// What to answer the next reports; 204 once there is nothing left.
    answers: Mutex<VecDeque<u16>>,
}

impl Gateway {
    pub(crate) async fn open() -> Gateway {
        Gateway::open_on("127.0.0.1").await
    }

    pub(crate) async fn open_on(address: &str) -> Gateway {
        let inner = Arc::new(Inner {
            events: watch::Sender::default(),
            ticks: watch::Sender::default(),
            due: Mutex::default(),
            woken: watch::Sender::default(),
            slow: watch::Sender::default(),
            answers: Mutex::default(),
        });
        let routes = Router::new()
            .route("/internal/report/{call}", post(report))
            .route("/internal/media/{token}", post(media))
            .route("/internal/ws/{call}", post(socket))
            .route("/internal/chat", post(chat))
            .route("/internal/tick", post(tick))
            .route("/internal/wake/{call}", post(wake))
            .with_state(inner.clone());
        let listener = tokio::net::TcpListener::bind((address, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Gateway { url, inner }
    }

    pub(crate) fn answer_next(&self, status: &[u16]) {
        self.inner.answers.lock().unwrap().extend(status);
    }

    pub(crate) fn events(&self) -> Vec<VoiceEvent> {
        self.inner.events.borrow().clone()
    }

    pub(crate) async fn wait_for(&self, what: impl Fn(&VoiceEvent) -> bool) -> VoiceEvent {
        let mut seen = self.inner.events.subscribe();
        let found = timeout(LONG, seen.wait_for(|events| events.iter().any(&what))).await;
        let events = found.map(|events| events.unwrap().clone());
        let events = events.unwrap_or_else(|_| panic!("only {:?}", self.events()));
        events.into_iter().find(what).unwrap()
    }

    /// Waits until so many of them were reported.
    pub(crate) async fn wait_for_all(&self, count: usize, what: impl Fn(&VoiceEvent) -> bool) {
        let mut seen = self.inner.events.subscribe();
        let all = |events: &Vec<VoiceEvent>| events.iter().filter(|event| what(event)).count();
        let found = timeout(LONG, seen.wait_for(|events| all(events) >= count)).await;
        assert!(found.is_ok(), "only {:?}", self.events());
    }

    pub(crate) async fn end(&self) -> (EndedBy, String) {
        match self
            .wait_for(|event| matches!(event, VoiceEvent::Ended { .. }))
            .await
        {
            VoiceEvent::Ended { by, reason, .. } => (by, reason),
            other => panic!("{other:?}"),
        }
    }

    /// Has the next tick give these out: call, lane and ticket.
    pub(crate) fn give_out(&self, due: &[[&str; 3]]) {
        let due = due.iter().map(|of| {
            let [call, lane, ticket] = of.map(str::to_owned);
            Due { call, lane, ticket }
        });
        self.inner.due.lock().unwrap().extend(due);
    }

    /// Has the waking of this call take until another is named.
    pub(crate) fn slow(&self, call: Option<&str>) {
        self.inner.slow.send_replace(call.map(str::to_owned));
    }

    /// Waits until so many calls were woken, or began to be; sorted.
    pub(crate) async fn woken(&self, count: usize) -> Vec<String> {
        let mut woken = self.inner.woken.subscribe();
        let found = timeout(LONG, woken.wait_for(|woken| woken.len() >= count)).await;
        assert!(found.is_ok(), "only {:?}", self.inner.woken.borrow());
        let mut woken = self.inner.woken.borrow().clone();
        woken.sort();
        woken
    }

    pub(crate) async fn ticked(&self, times: u32) {
        let mut ticks = self.inner.ticks.subscribe();
        timeout(LONG, ticks.wait_for(|ticks| *ticks >= times))
            .await
            .unwrap()
            .unwrap();
    }
}

/// Whoever connects is known to the CRM as Bela.
async fn report(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: String) -> Response {
    let expected = sign_report(KEY, body.as_bytes());
    assert_eq!(headers[SIGNATURE_HEADER].to_str().unwrap(), expected);
    let status = inner.answers.lock().unwrap().pop_front().unwrap_or(204);
    let status = StatusCode::from_u16(status).unwrap();
    if status.is_success() {
        let report: Report = serde_json::from_str(&body).unwrap();
        let connected = |event: &VoiceEvent| matches!(event, VoiceEvent::Connected { .. });
        let asks = report.events.iter().any(connected);
        inner
            .events
            .send_modify(|events| events.extend(report.events));
        if asks {
            return Json(json!({"crm": {"name": "Bela"}})).into_response();
        }
    }
    status.into_response()
}

/// The token `of-{call}` opens that call's media, if Twilio signed.
async fn media(
    Path(token): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, String) {
    check_signature(&headers, uri.path(), &body);
    match token.strip_prefix("of-") {
        Some(call) if body == r#"{"signature":"by Twilio"}"# => {
            (StatusCode::OK, format!(r#"{{"call":"{call}"}}"#))
        }
        Some(_) => (StatusCode::FORBIDDEN, String::new()),
        None => (StatusCode::NOT_FOUND, String::new()),
    }
}

/// The bot named like a call, or like one at the front desk, opens it, with a key.
async fn socket(
    Path(call): Path<String>,
    RawQuery(query): RawQuery,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> Response {
    check_signature(&headers, uri.path(), &body);
    let call = call.strip_prefix("front desk/+").unwrap_or(&call);
    opened(call, query, &headers)
}

async fn chat(RawQuery(query): RawQuery, uri: Uri, headers: HeaderMap, body: String) -> Response {
    check_signature(&headers, uri.path(), &body);
    let query = query.unwrap();
    let call = query.strip_prefix("assistant_id=").unwrap();
    opened(
        call.split('&').next().unwrap(),
        Some(query.clone()),
        &headers,
    )
}

fn opened(call: &str, query: Option<String>, headers: &HeaderMap) -> Response {
    let by_header = headers.get("x-api-key").is_some_and(|key| key == "good");
    let by_query = query.is_some_and(|query| query.contains("api_key=good"));
    if by_header || by_query {
        return Json(json!({"call": call})).into_response();
    }
    let code = [
        ("x-error-code", "invalid_api_key"),
        ("x-request-id", "req_1"),
    ];
    let body = Json(json!({"detail": "Invalid API key"}));
    (StatusCode::UNAUTHORIZED, code, body).into_response()
}

/// Says once that there is more, so that the next tick comes at once.
async fn tick(
    State(inner): State<Arc<Inner>>,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> Json<Ticked> {
    check_signature(&headers, uri.path(), &body);
    let mut ticks = 0;
    inner.ticks.send_modify(|seen| {
        *seen += 1;
        ticks = *seen;
    });
    let due = std::mem::take(&mut *inner.due.lock().unwrap());
    let more = ticks == 1;
    Json(Ticked { due, more })
}

async fn wake(
    State(inner): State<Arc<Inner>>,
    Path(call): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> StatusCode {
    check_signature(&headers, uri.path(), &body);
    let Wake { ticket } = serde_json::from_str(&body).unwrap();
    let mut slow = inner.slow.subscribe();
    inner
        .woken
        .send_modify(|woken| woken.push(format!("{call} {ticket}")));
    let _ = slow.wait_for(|slow| slow.as_ref() != Some(&call)).await;
    StatusCode::NO_CONTENT
}

fn check_signature(headers: &HeaderMap, path: &str, body: &str) {
    let header = |name: &str| headers[name].to_str().unwrap();
    let (timestamp, signature) = (header(TIMESTAMP_HEADER), header(SIGNATURE_HEADER));
    let message = ("POST", path, body.as_bytes());
    assert!(launcher_signed(KEY, now(), timestamp, signature, message));
}

pub(crate) fn now() -> Time {
    audio::now()
}

pub(crate) fn order(gateway: &Gateway) -> StartOrder {
    let call = uuid::Uuid::new_v4().to_string();
    let text = |text: &str| text.to_owned();
    StartOrder {
        version: 2,
        kind: Kind::Phone,
        transfer_to: None,
        when_missing: WhenMissing::AsDialect,
        timezone: String::new(),
        crm_s: 0,
        report: ReportTo {
            url: format!("{}/internal/report/{call}", gateway.url),
            key: KEY.to_owned(),
        },
        call,
        engine: text("offline"),
        disclosure: None,
        greeting: text("Good morning, this is a call for Anna about tomorrow."),
        prompt: String::new(),
        agenda: None,
        script: vec![text("Your appointment is tomorrow at nine.")],
        goodbye: text("Thank you and goodbye."),
        opted_out: "You will not be called again.".to_owned(),
        keys: [
            (text("1"), text("You pressed one.")),
            (text("9"), text("hangup")),
        ]
        .into(),
        limits: Limits {
            call_s: 60,
            silence_s: 20,
            connect_s: 20,
        },
    }
}

/// Stands for flite where a test need not understand what is said.
pub(crate) fn hum() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/hum")
}

/// A program of this crate, running.
pub(crate) struct Program {
    pub(crate) child: Child,
    pub(crate) url: String,
    /// Kept open, since a program that cannot write ends.
    _output: BufReader<ChildStdout>,
}

impl Program {
    pub(crate) async fn start(command: &mut Command) -> Program {
        let mut child = command
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        timeout(LONG, output.read_line(&mut line))
            .await
            .unwrap()
            .unwrap();
        let address = line.trim().rsplit(' ').next().unwrap();
        Program {
            child,
            url: format!("http://{address}"),
            _output: output,
        }
    }

    pub(crate) async fn exit_code(&mut self) -> i32 {
        let status = timeout(LONG, self.child.wait()).await.expect("it goes on");
        status.unwrap().code().expect("an exit code")
    }

    /// Ends it in order.
    pub(crate) async fn terminate(mut self) {
        self.signal("TERM");
        assert_eq!(self.exit_code().await, 0);
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().unwrap().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-s", name, &id])
            .status();
        assert!(sent.unwrap().success());
    }
}

pub(crate) fn http() -> reqwest::Client {
    audio::net::client().unwrap()
}
