//! Responses, and the one place that turns a problem into one.

use calls::dialect::Dialect;
use calls::problem::Problem;
use calls::secret;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

pub(crate) type Reply = Response<Vec<u8>>;

/// Says that a request was not worked on again: its first answer is given.
pub(crate) const REPLAYED: &str = "idempotent-replayed";

pub(crate) fn json_reply(status: u16, body: &Value) -> Reply {
    with_type(status, "application/json", body.to_string())
}

pub(crate) fn xml_reply(body: String) -> Reply {
    with_type(200, "text/xml; charset=utf-8", body)
}

pub(crate) fn empty(status: u16) -> Reply {
    let mut reply = Response::new(Vec::new());
    *reply.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    reply
}

pub(crate) fn with_type(status: u16, content_type: &'static str, body: String) -> Reply {
    let mut reply = empty(status);
    *reply.body_mut() = body.into_bytes();
    set(&mut reply, "content-type", content_type);
    reply
}

/// Sets a header; a value that cannot stand in one is left out.
pub(crate) fn set(reply: &mut Reply, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        reply
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
}

/// The problem in the dialect's shape, and a line in the log if it is ours.
pub(crate) fn problem(
    log: impl FnOnce(&str),
    dialect: &dyn Dialect,
    problem: &Problem,
    request_id: &str,
) -> Reply {
    if let Some(cause) = problem.cause() {
        let line = json!({
            "level": "error", "message": "request failed", "code": problem.code(),
            "cause": cause, "dialect": dialect.word(), "request_id": request_id,
        });
        log(&line.to_string());
    }
    let (status, mut body) = dialect.show_problem(problem);
    let content_type = match dialect.problem_details() {
        true => {
            body["request_id"] = json!(request_id);
            "application/problem+json"
        }
        false => "application/json",
    };
    let mut reply = with_type(status, content_type, body.to_string());
    // Where another organization's agent is not found, nothing says that it exists.
    let code = match problem {
        Problem::ForeignAgent(id) if status == 404 => Problem::NoAgent(id.clone()).code(),
        problem => problem.code(),
    };
    set(&mut reply, "x-error-code", code);
    if let Some(seconds) = problem.retry_after_s() {
        set(&mut reply, "retry-after", &seconds.to_string());
    }
    if let Problem::DialUnknown(id) | Problem::IdempotencyUnknown { call: id, .. } = problem {
        set(&mut reply, "x-call-id", id);
    }
    if let Problem::Replayed(_) = problem {
        set(&mut reply, REPLAYED, "true");
    }
    if let Problem::Method(allowed) = problem {
        set(&mut reply, "allow", allowed);
    }
    reply
}

/// A fresh id for `x-request-id`.
pub(crate) fn request_id(random: [u8; 16]) -> String {
    format!("req_{}", secret::hex(&random))
}
