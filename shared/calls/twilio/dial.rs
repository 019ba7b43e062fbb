//! `Calls.json`: placing a call, asking how it stands, ending it.
//! Source: Twilio, "Call resource" (API version 2010-04-01).

use crate::config::OnMachine;
use crate::event::{Event, Status, Told};
use crate::record::Record;
use crate::secret::Secret;
use crate::time::Time;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request, Response, StatusCode};
use serde_json::Value;

/// How Twilio repeats a callback that was not answered: three times on connection trouble, timeouts and server errors.
/// The fragment is read by Twilio, never sent, and no part of the signed address.
const RETRIES: &str = "#rc=3&rp=5xx,ct,rt";

/// How soon after it placed a call Twilio has told its caller so, by its answer or the first callback, in seconds.
const TOLD_S: u64 = 3;

/// What Twilio's answer to a dial comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dialled {
    Accepted {
        sid: String,
    },
    /// Certainly not placed.
    Refused {
        status: u16,
        code: Option<u32>,
    },
    /// Too many requests at once; certainly not placed, and worth trying later.
    Busy,
    /// Placed or not, nobody knows yet.
    Unclear(String),
}

/// The request that places the call. `base` is the public base URL, `token` the call's path token.
pub fn place(record: &Record, auth: &Secret, base: &str, token: &str) -> Option<Request<Vec<u8>>> {
    let status = format!("{base}/callbacks/status/{token}{RETRIES}");
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("To", &record.to)
        .append_pair("From", &record.from)
        .append_pair("Url", &format!("{base}/twiml/{token}{RETRIES}"))
        .append_pair("Method", "POST")
        .append_pair("StatusCallback", &status)
        .append_pair("StatusCallbackMethod", "POST");
    for event in ["initiated", "ringing", "answered", "completed"] {
        form.append_pair("StatusCallbackEvent", event);
    }
    form.append_pair("Timeout", &record.ring_s.to_string())
        .append_pair("TimeLimit", &(record.limits.call_s + 30).to_string());
    let detection = match record.on_machine {
        OnMachine::Ignore => None,
        OnMachine::HangUp | OnMachine::Continue => Some("Enable"),
        // Tells of a mailbox after its tone.
        OnMachine::LeaveMessage => Some("DetectMessageEnd"),
    };
    if let Some(detection) = detection {
        // Asynchronous, so that a person is not kept waiting in silence while Twilio listens.
        form.append_pair("MachineDetection", detection)
            .append_pair("AsyncAmd", "true")
            .append_pair(
                "AsyncAmdStatusCallback",
                &format!("{base}/callbacks/amd/{token}{RETRIES}"),
            )
            .append_pair("AsyncAmdStatusCallbackMethod", "POST");
    }
    request(record, auth, Method::POST, "Calls.json", form.finish())
}

/// Reads Twilio's answer to [`place`].
pub fn placed(answer: &Response<Vec<u8>>) -> Dialled {
    let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let status = answer.status();
    let code = body["code"]
        .as_u64()
        .and_then(|code| u32::try_from(code).ok());
    match body["sid"].as_str() {
        Some(sid) if status.is_success() && is_sid(sid) => Dialled::Accepted {
            sid: sid.to_owned(),
        },
        _ if status == StatusCode::TOO_MANY_REQUESTS => Dialled::Busy,
        _ if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT => {
            Dialled::Refused {
                status: status.as_u16(),
                code,
            }
        }
        _ => Dialled::Unclear(format!("Twilio answered {}", told(status.as_u16(), code))),
    }
}

/// Twilio's status and its code for the error, for the log and the call's timeline.
pub fn told(status: u16, code: Option<u32>) -> String {
    match code {
        Some(code) => format!("{status}, error {code}"),
        None => status.to_string(),
    }
}

/// Whether a refusal is the dialled number's fault and not the account's.
/// Source: Twilio error dictionary.
pub fn number_at_fault(code: Option<u32>) -> bool {
    matches!(
        code,
        Some(13_224 | 21_201 | 21_211 | 21_214..=21_217 | 21_219 | 573_002 | 573_005)
    )
}

/// Asks how the call stands.
pub fn ask(record: &Record, auth: &Secret, sid: &str) -> Option<Request<Vec<u8>>> {
    request(
        record,
        auth,
        Method::GET,
        &format!("Calls/{sid}.json"),
        String::new(),
    )
}

/// Asks which calls were placed between the same two numbers since the day this one's dial began.
pub fn search(record: &Record, auth: &Secret, began: Time) -> Option<Request<Vec<u8>>> {
    let day = began.rfc3339();
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("To", &record.to)
        .append_pair("From", &record.from)
        .append_pair("StartTime>", &day[..10])
        .append_pair("PageSize", "50")
        .finish();
    request(
        record,
        auth,
        Method::GET,
        &format!("Calls.json?{query}"),
        String::new(),
    )
}

/// Ends the call, whatever its state.
pub fn hang_up(record: &Record, auth: &Secret, sid: &str) -> Option<Request<Vec<u8>>> {
    let form = "Status=completed".to_owned();
    request(
        record,
        auth,
        Method::POST,
        &format!("Calls/{sid}.json"),
        form,
    )
}

/// Has the answered call go on with the TwiML at `url`, whatever it did until now.
pub fn go_on_with(
    record: &Record,
    auth: &Secret,
    sid: &str,
    url: &str,
) -> Option<Request<Vec<u8>>> {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("Url", &format!("{url}{RETRIES}"))
        .append_pair("Method", "POST")
        .finish();
    let what = format!("Calls/{sid}.json");
    request(record, auth, Method::POST, &what, form)
}

fn request(
    record: &Record,
    auth: &Secret,
    method: Method,
    what: &str,
    form: String,
) -> Option<Request<Vec<u8>>> {
    let account = &record.telephony.account_sid;
    let credentials = STANDARD.encode(format!("{account}:{}", auth.expose()));
    Request::builder()
        .method(method)
        .uri(format!(
            "{}/2010-04-01/Accounts/{account}/{what}",
            record.telephony.api_base_url
        ))
        .header("authorization", format!("Basic {credentials}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("accept", "application/json")
        .header("user-agent", "Ringdown")
        .body(form.into_bytes())
        .ok()
}

/// A Call resource as one event: how the call stands now.
pub fn standing(call: &Value, now: Time) -> Option<Event> {
    let sid = call["sid"].as_str().filter(|sid| is_sid(sid))?;
    let status = Status::parse(call["status"].as_str()?)?;
    let happened = match status {
        Status::InProgress => call["start_time"].as_str(),
        _ if status.is_final() => call["end_time"].as_str(),
        _ => None,
    };
    Some(Event::Provider {
        at: now,
        told: Told::Poll,
        status,
        sid: sid.to_owned(),
        happened: happened.and_then(Time::parse_rfc2822),
        duration_s: call["duration"].as_str().and_then(|text| text.parse().ok()),
        sip: None,
        error: None,
    })
}

/// When the calls were created that a search found, and how they stand, of those created while this one was being placed:
/// if it exists, it is among them.
pub fn candidates(found: &Value, began: Time, now: Time) -> Vec<(Time, Event)> {
    let created_meanwhile = |call: &Value| {
        let created = Time::parse_rfc2822(call["date_created"].as_str()?)?;
        // Twilio's times are whole seconds, its clock is not ours, and a dial is waited for 25 seconds at most.
        let meanwhile = created.plus_s(3) >= began && created <= began.plus_s(30);
        Some((created, standing(call, now)?)).filter(|_| meanwhile)
    };
    let calls = found["calls"].as_array().into_iter().flatten();
    calls.filter_map(created_meanwhile).collect()
}

/// The one of these candidates that it must be. There is none as long as one was created just now, for whoever placed
/// that may be about to hear of it.
pub fn unmistakable(candidates: Vec<(Time, Event)>, now: Time) -> Option<Event> {
    let [(created, event)] = <[_; 1]>::try_from(candidates).ok()?;
    (created.plus_s(TOLD_S) <= now).then_some(event)
}

/// `CA` and 32 hex digits.
pub fn is_sid(text: &str) -> bool {
    text.len() == 34
        && text.starts_with("CA")
        && text[2..].bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The calls of a list, created at these seconds of 09:30, that a dial begun at 09:30:05 may have placed.
    fn found(seconds: &[u64], now_s: u64) -> Option<u64> {
        let calls = seconds.iter().map(|second| {
            let date = format!("Fri, 20 Nov 2026 09:30:{second:02} +0000");
            serde_json::json!({ "sid": format!("CA{second:032x}"), "status": "ringing", "date_created": date })
        });
        let list = serde_json::json!({ "calls": calls.collect::<Vec<_>>() });
        let start = Time(1_795_167_000_000);
        let now = start.plus_s(now_s);
        let event = unmistakable(candidates(&list, start.plus_s(5), now), now)?;
        let Event::Provider { sid, .. } = event else {
            return None;
        };
        u64::from_str_radix(&sid[2..], 16).ok()
    }

    #[test]
    fn only_what_cannot_be_another_call_is_found() {
        assert_eq!(found(&[6], 20), Some(6));
        assert_eq!(found(&[], 20), None);
        assert_eq!(
            found(&[1, 6, 36], 50),
            Some(6),
            "others were placed before or after"
        );
        assert_eq!(found(&[6, 7], 20), None);
        assert_eq!(found(&[6], 8), None, "it was placed just now");
        assert_eq!(found(&[6], 9), Some(6));
        assert_eq!(found(&[6, 8], 10), None, "the other one may be it");
    }

    #[track_caller]
    fn check(status: u16, body: &str, expected: Dialled) {
        let answer = Response::builder()
            .status(status)
            .body(body.as_bytes().to_vec())
            .unwrap();
        assert_eq!(placed(&answer), expected, "{status} {body}");
    }

    #[test]
    fn reads_every_kind_of_answer() {
        let sid = format!("CA{}", "0".repeat(32));
        check(
            201,
            &format!(r#"{{"sid":"{sid}","status":"queued"}}"#),
            Dialled::Accepted { sid },
        );
        check(
            400,
            r#"{"code":21217}"#,
            Dialled::Refused {
                status: 400,
                code: Some(21_217),
            },
        );
        check(
            401,
            r#"{"code":20003}"#,
            Dialled::Refused {
                status: 401,
                code: Some(20_003),
            },
        );
        check(
            403,
            "<html>",
            Dialled::Refused {
                status: 403,
                code: None,
            },
        );
        check(429, r#"{"code":20429}"#, Dialled::Busy);
        for (status, body) in [
            (500, r#"{"code":20500}"#),
            (503, "<html>"),
            (201, "{}"),
            (201, "{"),
            (302, ""),
        ] {
            let answer = Response::builder()
                .status(status)
                .body(body.as_bytes().to_vec())
                .unwrap();
            assert!(
                matches!(placed(&answer), Dialled::Unclear(_)),
                "{status} {body}"
            );
        }
    }
}
