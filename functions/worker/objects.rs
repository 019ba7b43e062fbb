//! Requests to the Durable Objects: `CALLS`, one for each call, and `ORGANIZATIONS`, one for each organization, each
//! account at Twilio and each tenant.

use crate::documents::{Ask, Told};
use crate::exchange::{self, fault};
use calls::id::CallId;
use calls::time::Time;
use functions::{Fault, Owner};
use worker::js_sys::futures::JsFuture;
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::{Env, Headers, Response, Stub, web_sys, worker_sys};

/// Opens a call. Asked once only: a second answer would be that the call exists.
pub(crate) async fn open_call(
    env: &Env,
    call: CallId,
    wake_at: Time,
    record: &str,
) -> Result<bool, Fault> {
    let url = format!("http://call/{call}/record/{}", wake_at.0);
    let object = object(env, "CALLS", &call.to_string())?;
    let (status, _) = ask(object, "PUT", &url, record).await?;
    Ok(status == 201)
}

/// Asks a call's object for what can be asked twice.
pub(crate) async fn ask_call(
    env: &Env,
    call: CallId,
    (method, what): (&str, &str),
    body: &str,
) -> Result<(u16, String), Fault> {
    let url = format!("http://call/{call}/{what}");
    ask_twice(env, ("CALLS", &call.to_string()), (method, &url), body).await
}

pub(crate) async fn ask_seats(
    env: &Env,
    organization: &str,
    method: &str,
    body: &str,
) -> Result<(u16, String), Fault> {
    let line = (method, "http://organization/seats");
    ask_twice(env, ("ORGANIZATIONS", organization), line, body).await
}

/// Asks the object of an organization or a call about its documents. A series' entry may be added twice.
pub(crate) async fn ask_documents(env: &Env, owner: &Owner, ask: &Ask) -> Result<Told, Fault> {
    let ask = serde_json::to_string(ask).map_err(fault)?;
    let (_, told) = match owner {
        Owner::Call(call) => ask_call(env, *call, ("POST", "documents"), &ask).await?,
        Owner::Organization(id) => ask_organization(env, id, &ask).await?,
        // No organization's id holds a slash.
        Owner::Tenant(id) => ask_organization(env, &format!("tenant/{id}"), &ask).await?,
        Owner::Account(sid) => ask_organization(env, &format!("account/{sid}"), &ask).await?,
    };
    serde_json::from_str(&told).map_err(fault)
}

async fn ask_organization(env: &Env, name: &str, ask: &str) -> Result<(u16, String), Fault> {
    let line = ("POST", "http://organization/documents");
    ask_twice(env, ("ORGANIZATIONS", name), line, ask).await
}

/// Has the call's object answer a media socket's upgrade.
pub(crate) async fn media(env: &Env, call: CallId) -> Result<Response, Fault> {
    let headers = Headers::new();
    headers.set("upgrade", "websocket").map_err(fault)?;
    let url = format!("http://call/{call}/stream");
    let request = exchange::request(("GET", &url), &headers, b"", None).map_err(fault)?;
    let object = object(env, "CALLS", &call.to_string())?;
    object.fetch_with_request(request).await.map_err(fault)
}

/// An object that is moved or restarted fails the requests it was working on, and answers the next.
async fn ask_twice(
    env: &Env,
    (binding, name): (&str, &str),
    (method, url): (&str, &str),
    body: &str,
) -> Result<(u16, String), Fault> {
    match ask(object(env, binding, name)?, method, url, body).await {
        Ok(answer) => Ok(answer),
        Err(_) => ask(object(env, binding, name)?, method, url, body).await,
    }
}

fn object(env: &Env, binding: &str, name: &str) -> Result<Stub, Fault> {
    let namespace = env.durable_object(binding).map_err(fault)?;
    namespace.get_by_name(name).map_err(fault)
}

/// Sends one request; status and body. A status of 5xx is a fault of the object's.
///
/// It goes by JavaScript's own types: there are several in every request, and the wrappers read all of each.
async fn ask(object: Stub, method: &str, url: &str, body: &str) -> Result<(u16, String), Fault> {
    let thrown = |value: JsValue| Fault(exchange::thrown(value));
    let init = web_sys::RequestInit::new();
    init.set_method(method);
    if !body.is_empty() {
        init.set_body(&JsValue::from_str(body));
    }
    let request = web_sys::Request::new_with_str_and_init(url, &init).map_err(thrown)?;
    let object: worker_sys::DurableObject = object.into_rpc();
    let answer = object.fetch_with_request(&request).map_err(thrown)?;
    let answer = JsFuture::from(answer).await.map_err(thrown)?;
    let answer: web_sys::Response = answer.unchecked_into();
    let text = answer.text().map_err(thrown)?;
    let text = JsFuture::from(text).await.map_err(thrown)?;
    let text = text.as_string().unwrap_or_default();
    match answer.status() {
        status @ ..500 => Ok((status, text)),
        status => Err(Fault(format!("object answered {status}: {text}"))),
    }
}
