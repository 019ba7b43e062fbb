//! Twilio's error bodies: `{"code", "message", "more_info", "status"}`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A request Twilio does not carry out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub status: u16,
    pub code: u32,
    pub message: String,
}

/// A refusal of the caller's input: HTTP 400.
pub(crate) fn bad_request(code: u32, message: impl Into<String>) -> Refusal {
    Refusal {
        status: 400,
        code,
        message: message.into(),
    }
}

pub(crate) fn unauthorized() -> Refusal {
    Refusal {
        status: 401,
        code: 20003,
        message: "Authenticate".to_owned(),
    }
}

pub(crate) fn not_found(path: &str) -> Refusal {
    Refusal {
        status: 404,
        code: 20404,
        message: format!("The requested resource {path} was not found"),
    }
}

/// The refusals that a dialled number asks for.
pub(crate) fn of_number(code: u32, to: &str) -> Refusal {
    let message = match code {
        20429 => return of_status(429),
        21214 => format!("'To' phone number cannot be reached: {to}"),
        21215 => format!(
            "Account not authorized to call {to}. Perhaps you need to enable some international \
             permissions: https://www.twilio.com/console/voice/calls/geo-permissions/low-risk"
        ),
        21216 => format!("Account not allowed to call {to}"),
        _ => format!("Phone number does not appear to be valid: {to}"),
    };
    bad_request(code, message)
}

/// What Twilio says with a status that is not about the input.
pub(crate) fn of_status(status: u16) -> Refusal {
    let (code, message) = match status {
        429 => (20429, "Too Many Requests"),
        503 => (20503, "Service Unavailable"),
        500..=599 => (20500, "An internal server error has occurred"),
        401 | 403 => (20003, "Authenticate"),
        _ => (20001, "Bad request"),
    };
    Refusal {
        status,
        code,
        message: message.to_owned(),
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let body = json!({
            "code": self.code,
            "message": self.message,
            "more_info": format!("https://www.twilio.com/docs/errors/{}", self.code),
            "status": status.as_u16(),
        });
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"Twilio API\""),
            );
        }
        response
    }
}
