//! `/_sim/inbox/{name}`: stands for a customer's server; keeps every request and answers as told.

use crate::clock::now_ms;
use crate::server::App;
use crate::twilio::lock;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

/// Requests kept per inbox; the oldest go first.
const KEPT: usize = 5000;

#[derive(Default)]
pub(crate) struct Inbox(Mutex<HashMap<String, Letters>>);

#[derive(Default)]
struct Letters {
    requests: VecDeque<Request>,
    answers: VecDeque<Answer>,
}

/// A request as it came.
#[derive(Clone, Serialize)]
pub(crate) struct Request {
    pub method: String,
    pub path: String,
    pub query: Option<String>,
    /// Names in lower case; a repeated header's values are joined with a comma.
    pub headers: BTreeMap<String, String>,
    /// The body as text; where it is not UTF-8, see `body_base64`.
    pub body: String,
    pub body_base64: Option<String>,
    pub at_ms: u64,
}

/// How requests are answered.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    /// Text is sent as it is, anything else as JSON.
    body: Value,
    delay_ms: u64,
    /// How many requests get this answer before the next in the list does; all if unset.
    times: Option<u32>,
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            status: 200,
            headers: BTreeMap::new(),
            body: Value::Null,
            delay_ms: 0,
            times: None,
        }
    }
}

/// One answer, or several to be given in turn.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Answers {
    One(Answer),
    Several(VecDeque<Answer>),
}

impl Letters {
    fn next_answer(&mut self) -> Answer {
        while let Some(answer) = self.answers.front_mut() {
            match &mut answer.times {
                None => return answer.clone(),
                Some(0) => {
                    self.answers.pop_front();
                }
                Some(left) => {
                    *left -= 1;
                    return answer.clone();
                }
            }
        }
        Answer::default()
    }
}

/// Any method, any path below the name.
pub(crate) async fn receive(
    State(app): State<App>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    let below = path.strip_prefix("/_sim/inbox/").unwrap_or_default();
    let name = below.split('/').next().unwrap_or_default().to_owned();
    let mut kept: BTreeMap<String, String> = BTreeMap::new();
    for (header, value) in &headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        kept.entry(header.to_string())
            .and_modify(|all| *all = format!("{all}, {value}"))
            .or_insert_with(|| value.into_owned());
    }
    let text = String::from_utf8(body.to_vec());
    let request = Request {
        method: method.to_string(),
        path,
        query: uri.query().map(str::to_owned),
        headers: kept,
        body_base64: text.is_err().then(|| STANDARD.encode(&body)),
        body: text.unwrap_or_default(),
        at_ms: now_ms(),
    };
    let answer = {
        let mut inboxes = lock(&app.inbox.0);
        let letters = inboxes.entry(name).or_default();
        if letters.requests.len() >= KEPT {
            letters.requests.pop_front();
        }
        letters.requests.push_back(request);
        letters.next_answer()
    };
    tokio::time::sleep(Duration::from_millis(answer.delay_ms)).await;
    show(answer)
}

fn show(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = match answer.body {
        Value::Null => status.into_response(),
        Value::String(text) => (status, text).into_response(),
        json => (status, Json(json)).into_response(),
    };
    for (name, value) in answer.headers {
        let name = HeaderName::try_from(name.as_str());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value.as_str())) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

pub(crate) async fn requests(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Json<Vec<Request>> {
    let inboxes = lock(&app.inbox.0);
    let letters = inboxes.get(&name);
    Json(letters.map_or_else(Vec::new, |letters| {
        letters.requests.iter().cloned().collect()
    }))
}

pub(crate) async fn forget_requests(
    State(app): State<App>,
    Path(name): Path<String>,
) -> StatusCode {
    if let Some(letters) = lock(&app.inbox.0).get_mut(&name) {
        letters.requests.clear();
    }
    StatusCode::NO_CONTENT
}

pub(crate) async fn set_answer(
    State(app): State<App>,
    Path(name): Path<String>,
    Json(answers): Json<Answers>,
) -> StatusCode {
    lock(&app.inbox.0).entry(name).or_default().answers = match answers {
        Answers::One(answer) => VecDeque::from([answer]),
        Answers::Several(answers) => answers,
    };
    StatusCode::NO_CONTENT
}

pub(crate) async fn forget_answer(State(app): State<App>, Path(name): Path<String>) -> StatusCode {
    if let Some(letters) = lock(&app.inbox.0).get_mut(&name) {
        letters.answers.clear();
    }
    StatusCode::NO_CONTENT
}

/// Forgets one inbox's requests and answers.
pub(crate) async fn forget(State(app): State<App>, Path(name): Path<String>) -> StatusCode {
    lock(&app.inbox.0).remove(&name);
    StatusCode::NO_CONTENT
}

pub(crate) async fn forget_all(State(app): State<App>) -> StatusCode {
    lock(&app.inbox.0).clear();
    StatusCode::NO_CONTENT
}
