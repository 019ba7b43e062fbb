//! Twilio's REST API under `/2010-04-01`: create, read, list and change calls.

use crate::call::{Call, Steer};
use crate::clock::rfc2822;
use crate::faults::{HttpFault, Step};
use crate::order::{Order, replacement, value};
use crate::record::Fields;
use crate::refusal::{Refusal, bad_request, not_found, of_number, of_status, unauthorized};
use crate::scenario::Scenario;
use crate::server::{App, Cut};
use crate::shown::shown;
use crate::twilio::{Account, Twilio};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// `POST Accounts/{account}/Calls.json`
pub(crate) async fn create(
    State(app): State<App>,
    Path(sid): Path<String>,
    Extension(cut): Extension<Cut>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    app.asked();
    let account = authorized(&app, &sid, &headers)?.clone();
    let fields = form(&body);
    let order = Order::parse(&fields)?;
    let scenario = app.scenario(&order.to);
    if let Scenario::Refused(code) = scenario {
        return Err(of_number(code, &order.to));
    }
    app.hold(&order.to, Step::Create).await;
    let fault = HttpFault::take(&mut app.faults().of(&order.to).create);
    if let Some(fault) = &fault
        && (fault.cut || fault.status.is_some())
        && !fault.place
    {
        return Err(break_down(fault, &cut).await);
    }
    let call = app.place(&account, order, fields);
    app.hold(&call.order.to, Step::CreateAnswer).await;
    if let Some(fault) = fault {
        if fault.cut || fault.status.is_some() {
            call.record().create_answer = fault.status.unwrap_or(0);
            return Err(break_down(&fault, &cut).await);
        }
        tokio::time::sleep(Duration::from_millis(fault.delay_ms)).await;
    }
    match scenario {
        Scenario::CreateBreaks => {
            call.record().create_answer = 500;
            return Err(of_status(500));
        }
        Scenario::CreateHangs => {
            tokio::time::sleep(Duration::from_millis(app.config.hang_ms)).await;
            cut.now().await
        }
        _ => {}
    }
    let mut record = call.record();
    record.create_answer = 201;
    Ok((StatusCode::CREATED, Json(shown(&record))).into_response())
}

/// Carries a fault out; gives the refusal unless the connection is to be cut.
async fn break_down(fault: &HttpFault, cut: &Cut) -> Refusal {
    tokio::time::sleep(Duration::from_millis(fault.delay_ms)).await;
    match fault.refusal() {
        Some(refusal) if !fault.cut => refusal,
        _ => cut.now().await,
    }
}

/// `GET Accounts/{account}/Calls/{sid}.json`
pub(crate) async fn read(
    State(app): State<App>,
    Path((account, file)): Path<(String, String)>,
    Extension(cut): Extension<Cut>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<Value>, Refusal> {
    authorized(&app, &account, &headers)?;
    let call = find(&app, &account, &file, &uri)?;
    let fault = HttpFault::take(&mut app.faults().of(&call.order.to).read);
    stumble(fault, &cut).await?;
    Ok(Json(shown(&call.record())))
}

/// `POST Accounts/{account}/Calls/{sid}.json`: hang up, cancel, or send elsewhere.
pub(crate) async fn change(
    State(app): State<App>,
    Path((account, file)): Path<(String, String)>,
    Extension(cut): Extension<Cut>,
    headers: HeaderMap,
    uri: Uri,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    authorized(&app, &account, &headers)?;
    let call = find(&app, &account, &file, &uri)?;
    let fault = HttpFault::take(&mut app.faults().of(&call.order.to).change);
    stumble(fault, &cut).await?;
    let fields = form(&body);
    let status = call.record().status;
    let waiting = matches!(status, "queued" | "ringing");
    if call.record().is_over() {
        return Err(bad_request(
            21220,
            "Call is not in-progress. Cannot redirect.",
        ));
    }
    match value(&fields, "Status") {
        Some("completed") => call.steer(Steer::ApiEnds, "api", "completed"),
        Some("canceled") if waiting => call.steer(Steer::ApiEnds, "api", "canceled"),
        Some("canceled") => return Err(bad_request(21220, "Call is already answered.")),
        Some(other) => {
            return Err(bad_request(21218, format!("Invalid Status: {other}")));
        }
        None => match replacement(&fields)? {
            Some(_) if waiting => {
                return Err(bad_request(
                    21220,
                    "Call is not in-progress. Cannot redirect.",
                ));
            }
            Some(twiml) => call.steer(Steer::Replace(twiml), "api", "redirected"),
            None => {}
        },
    }
    // The change is carried out by the call's own task, at once but not here.
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        if value(&fields, "Status").is_none() || call.record().is_over() {
            break;
        }
    }
    Ok(Json(shown(&call.record())))
}

/// `GET Accounts/{sid}.json`: what a check of credentials asks.
pub(crate) async fn account(
    State(app): State<App>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let sid = file.trim_end_matches(".json");
    authorized(&app, sid, &headers)?;
    Ok(Json(json!({
        "sid": sid,
        "friendly_name": "Simulated account",
        "owner_account_sid": sid,
        "status": "active",
        "type": "Full",
        "uri": format!("/2010-04-01/Accounts/{sid}.json"),
    })))
}

/// `GET Accounts/{account}/Calls/{sid}/Notifications.json`: the error log of one call.
pub(crate) async fn notifications(
    State(app): State<App>,
    Path((account, sid)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<Value>, Refusal> {
    authorized(&app, &account, &headers)?;
    let call = find(&app, &account, &sid, &uri)?;
    let record = call.record();
    let notifications: Vec<Value> = record
        .notifications
        .iter()
        .map(|notification| {
            json!({
                "account_sid": account,
                "call_sid": record.sid,
                "error_code": notification.code.to_string(),
                "log": "0",
                "message_text": notification.message,
                "message_date": rfc2822(notification.at_ms),
                "more_info": format!("https://www.twilio.com/docs/errors/{}", notification.code),
            })
        })
        .collect();
    Ok(Json(
        json!({ "notifications": notifications, "next_page_uri": null }),
    ))
}

/// Everything else.
pub(crate) async fn nothing(uri: Uri) -> Refusal {
    not_found(uri.path())
}

pub(crate) async fn stumble(fault: Option<HttpFault>, cut: &Cut) -> Result<(), Refusal> {
    match fault {
        Some(fault) if fault.cut || fault.status.is_some() => Err(break_down(&fault, cut).await),
        Some(fault) => {
            tokio::time::sleep(Duration::from_millis(fault.delay_ms)).await;
            Ok(())
        }
        None => Ok(()),
    }
}

/// The account in the path, when the request's Basic credentials open it.
pub(crate) fn authorized<'a>(
    app: &'a Twilio,
    sid: &str,
    headers: &HeaderMap,
) -> Result<&'a Account, Refusal> {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
        .and_then(|(_, encoded)| STANDARD.decode(encoded.trim()).ok())
        .and_then(|decoded| String::from_utf8(decoded).ok())
        .ok_or_else(unauthorized)?;
    app.account(sid)
        .filter(|account| given == format!("{}:{}", account.sid, account.auth_token))
        .ok_or_else(unauthorized)
}

/// A call of this account, named `{sid}` or `{sid}.json`.
pub(crate) fn find(
    app: &Twilio,
    account: &str,
    file: &str,
    uri: &Uri,
) -> Result<Arc<Call>, Refusal> {
    app.call(file.trim_end_matches(".json"))
        .filter(|call| call.account.sid == account)
        .ok_or_else(|| not_found(uri.path()))
}

pub(crate) fn form(body: &[u8]) -> Fields {
    form_urlencoded::parse(body).into_owned().collect()
}
