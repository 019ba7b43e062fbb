//! A tiny gateway and a client for it: what the simulator's tests run against.

#![expect(dead_code, reason = "every test file uses its own part")]

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use simulator::speech::Speech;
use simulator::{Config, serve};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

pub(crate) const ACCOUNT: &str = "AC00000000000000000000000000000041";
pub(crate) const TOKEN: &str = "41414141414141414141414141414141";

/// A request the gateway got.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub path: String,
    pub fields: BTreeMap<String, String>,
    pub idempotency_token: String,
}

/// Status, content type, body.
type Answer = (u16, String, String);

#[derive(Default)]
struct Kept {
    address: String,
    got: Mutex<Vec<Got>>,
    forged: Mutex<Vec<String>>,
    answers: Mutex<HashMap<String, VecDeque<Answer>>>,
    heard: Mutex<Vec<Value>>,
}

/// The simulator and the gateway, both running.
pub(crate) struct Stage {
    pub simulator: String,
    pub gateway: String,
    kept: Arc<Kept>,
    http: reqwest::Client,
}

/// Times short enough for a test.
pub(crate) fn quick() -> Config {
    let mut config = Config::new(Speech::built_in().unwrap());
    config.ring_ms = 100;
    config.no_answer_ms = 300;
    config.call_ms = 6000;
    config.late_ms = 1500;
    config.hang_ms = 300;
    config.detection_ms = 100;
    config
}

impl Stage {
    pub(crate) async fn new(config: Config) -> Self {
        // Built together with the voice, reqwest has TLS but no provider for it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let simulator = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(serve(listener, config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let kept = Arc::new(Kept {
            address: address.clone(),
            ..Kept::default()
        });
        let routes = Router::new()
            .route("/media/{manner}", get(media))
            .fallback(any(receive))
            .with_state(kept.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self {
            simulator,
            gateway: format!("http://{address}"),
            kept,
            http: reqwest::Client::new(),
        }
    }

    /// Sets the next answer at a path: status, content type, body.
    pub(crate) fn answer(&self, path: &str, status: u16, kind: &str, body: &str) {
        let answer = (status, kind.to_owned(), body.to_owned());
        let mut answers = self.kept.answers.lock().unwrap();
        answers
            .entry(path.to_owned())
            .or_default()
            .push_back(answer);
    }

    /// Answers `/twiml` with a stream to `/media/{manner}` and more verbs behind it.
    pub(crate) fn stream(&self, manner: &str, behind: &str) {
        let body = format!(
            r#"<Response><Connect><Stream url="ws://{}/media/{manner}?lost=1" statusCallback="{}/stream"><Parameter name="call_id" value="7"/></Stream></Connect>{behind}</Response>"#,
            self.kept.address, self.gateway
        );
        self.answer("/twiml", 200, "text/xml; charset=utf-8", &body);
    }

    /// The usual create request.
    pub(crate) fn order(&self, to: &str) -> Vec<(String, String)> {
        let mut fields = vec![
            ("To".to_owned(), to.to_owned()),
            ("From".to_owned(), "+15005550100".to_owned()),
            ("Url".to_owned(), format!("{}/twiml", self.gateway)),
            (
                "StatusCallback".to_owned(),
                format!("{}/status#rc=2&rp=5xx,ct", self.gateway),
            ),
        ];
        for event in ["initiated", "ringing", "answered", "completed"] {
            fields.push(("StatusCallbackEvent".to_owned(), event.to_owned()));
        }
        fields
    }

    /// Creates a call; gives the answer's status and body.
    pub(crate) async fn create(
        &self,
        fields: &[(String, String)],
    ) -> Result<(u16, Value), reqwest::Error> {
        let path = format!("/2010-04-01/Accounts/{ACCOUNT}/Calls.json");
        self.rest(Method::POST, &path, fields).await
    }

    /// Creates the usual call and gives its sid.
    pub(crate) async fn place(&self, to: &str) -> String {
        let (status, body) = self.create(&self.order(to)).await.unwrap();
        assert_eq!(status, 201, "{body}");
        body["sid"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn rest(
        &self,
        method: Method,
        path: &str,
        fields: &[(String, String)],
    ) -> Result<(u16, Value), reqwest::Error> {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let basic = STANDARD.encode(format!("{ACCOUNT}:{TOKEN}"));
        let response = self
            .http
            .request(method, format!("{}{path}", self.simulator))
            .header("authorization", format!("Basic {basic}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await?;
        let status = response.status().as_u16();
        let body = response.bytes().await?;
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }

    /// A request to the desk.
    pub(crate) async fn desk(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let response = self
            .http
            .request(method, format!("{}/_sim{path}", self.simulator))
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        let status = response.status().as_u16();
        let body = response.bytes().await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    pub(crate) async fn wav(&self, sid: &str, file: &str) -> Vec<u8> {
        let url = format!("{}/_sim/calls/{sid}/{file}", self.simulator);
        let file = self
            .http
            .get(url)
            .send()
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap();
        simulator::speech::read_wav(&file).unwrap()
    }

    /// The call's record once `ready` says so.
    pub(crate) async fn when(&self, sid: &str, ready: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..800 {
            let (_, record) = self
                .desk(Method::GET, &format!("/calls/{sid}"), Value::Null)
                .await;
            if ready(&record) {
                return record;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (_, record) = self
            .desk(Method::GET, &format!("/calls/{sid}"), Value::Null)
            .await;
        panic!("never came: {record:#}");
    }

    /// The record of an ended call whose callbacks have all been answered.
    pub(crate) async fn ended(&self, sid: &str) -> Value {
        let record = self
            .when(sid, |record| {
                let told = record["callbacks"].as_array().unwrap();
                let last = told.iter().any(|told| told["event"] == "completed");
                let answered =
                    |told: &Value| told["dropped"] == true || told["attempts"] != json!([]);
                !record["ended_at_ms"].is_null() && last && told.iter().all(answered)
            })
            .await;
        assert_eq!(*self.kept.forged.lock().unwrap(), Vec::<String>::new());
        record
    }

    /// What came to a path, in order.
    pub(crate) fn got(&self, path: &str) -> Vec<Got> {
        let got = self.kept.got.lock().unwrap();
        got.iter().filter(|got| got.path == path).cloned().collect()
    }

    /// One field of everything that came to `/status`.
    pub(crate) fn told(&self, field: &str) -> Vec<String> {
        let told = self.got("/status");
        told.iter().map(|got| got.fields[field].clone()).collect()
    }

    /// Messages that came over media sockets, without the audio unless asked for.
    pub(crate) fn heard(&self, event: &str) -> Vec<Value> {
        let heard = self.kept.heard.lock().unwrap();
        heard
            .iter()
            .filter(|message| message["event"] == event)
            .cloned()
            .collect()
    }

    pub(crate) fn heard_events(&self) -> Vec<String> {
        let heard = self.kept.heard.lock().unwrap();
        let events = heard.iter().filter_map(|message| message["event"].as_str());
        events.map(str::to_owned).collect()
    }
}

fn signature(signed: &str) -> String {
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(TOKEN.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

fn check(kept: &Kept, headers: &HeaderMap, signed: &str) {
    let given = headers
        .get("x-twilio-signature")
        .map(|value| value.to_str().unwrap());
    if given != Some(signature(signed).as_str()) {
        kept.forged.lock().unwrap().push(signed.to_owned());
    }
}

async fn receive(
    State(kept): State<Arc<Kept>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fields: BTreeMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
    let posted: String = fields
        .iter()
        .map(|(name, value)| format!("{name}{value}"))
        .collect();
    check(
        &kept,
        &headers,
        &format!("http://{}{uri}{posted}", kept.address),
    );
    let path = uri.path().to_owned();
    kept.got.lock().unwrap().push(Got {
        path: path.clone(),
        fields,
        idempotency_token: headers["i-twilio-idempotency-token"]
            .to_str()
            .unwrap()
            .to_owned(),
    });
    let answer = kept
        .answers
        .lock()
        .unwrap()
        .get_mut(&path)
        .and_then(VecDeque::pop_front);
    match answer {
        Some((status, kind, body)) => {
            let status = StatusCode::from_u16(status).unwrap();
            (status, [(header::CONTENT_TYPE, kind)], body).into_response()
        }
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

async fn media(
    State(kept): State<Arc<Kept>>,
    Path(manner): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    check(&kept, &headers, &format!("ws://{}{uri}", kept.address));
    if manner == "refused" {
        return StatusCode::FORBIDDEN.into_response();
    }
    upgrade.on_upgrade(async move |socket| talk(&kept, &manner, socket).await)
}

/// The agents: `talks` greets and listens, `leaves` greets and closes once heard, and so on.
async fn talk(kept: &Kept, manner: &str, mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Text(text) = message else {
            continue;
        };
        let message: Value = serde_json::from_str(&text).unwrap();
        let event = message["event"].as_str().unwrap().to_owned();
        // A crowd's audio is too much to keep.
        if manner != "crowd" {
            kept.heard.lock().unwrap().push(message.clone());
        }
        let stream = message["streamSid"].clone();
        let mut replies = Vec::new();
        match (event.as_str(), manner) {
            ("start", "mute" | "silent") => {}
            ("start", "lies") => replies.push(json!({
                "event": "clear", "streamSid": "MZ00000000000000000000000000000000"
            })),
            ("start", "dances") => replies.push(json!({ "event": "dance", "streamSid": stream })),
            ("start", "clears") => replies.extend([
                speech(&stream, 2000),
                mark(&stream, "first"),
                mark(&stream, "second"),
                json!({ "event": "clear", "streamSid": stream }),
            ]),
            ("start", _) => replies.extend([speech(&stream, 400), mark(&stream, "greeting")]),
            ("mark", "leaves") => {
                // Read on until the close is answered.
                let _ = socket.send(Message::Close(None)).await;
            }
            _ => {}
        }
        for reply in replies {
            if socket.send(Message::text(reply.to_string())).await.is_err() {
                return;
            }
        }
    }
}

/// Loud samples, as long as asked for.
fn speech(stream: &Value, ms: usize) -> Value {
    let payload = STANDARD.encode([0x90, 0x10].repeat(ms * 4));
    json!({ "event": "media", "streamSid": stream, "media": { "payload": payload } })
}

fn mark(stream: &Value, name: &str) -> Value {
    json!({ "event": "mark", "streamSid": stream, "mark": { "name": name } })
}
