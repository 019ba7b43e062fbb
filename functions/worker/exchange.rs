//! Workers requests and responses turned into the handlers' and back, and the one way requests are sent.

use crate::platform::random;
use calls::problem::Problem;
use functions::{BODY_LIMIT, Fault};
use futures_util::StreamExt;
use worker::js_sys::Uint8Array;
use worker::wasm_bindgen::JsValue;
use worker::{AbortSignal, ByteStream, Headers, Request, Response, ResponseBuilder, web_sys};

/// How much of an overlong body is read to get rid of it, in bytes.
const DROP_LIMIT: usize = 4 * 1024 * 1024;

/// The handlers' form of `request`. Of its body no more is read than shows that it is too large.
pub(crate) async fn read(request: &Request) -> Result<http::Request<Vec<u8>>, Fault> {
    let inner = request.inner();
    let mut asked = http::Request::builder()
        .method(inner.method().as_str())
        .uri(inner.url());
    for (name, value) in request.headers() {
        asked = asked.header(name, value);
    }
    let body = match inner.body() {
        None => Vec::new(),
        Some(stream) => read_body(stream, BODY_LIMIT + 1).await.map_err(fault)?,
    };
    asked.body(body).map_err(|error| Fault(error.to_string()))
}

/// The first `most` bytes, whatever length was announced. What follows is read and dropped, up to a bound:
/// answering a caller who is still sending would break the connection before the answer is read.
pub(crate) async fn read_body(
    stream: web_sys::ReadableStream,
    most: usize,
) -> worker::Result<Vec<u8>> {
    let mut body = Vec::new();
    let mut dropped = 0;
    let mut chunks = ByteStream::from(stream);
    while dropped < DROP_LIMIT
        && let Some(chunk) = chunks.next().await
    {
        let chunk = chunk?;
        let (kept, rest) = chunk.split_at(chunk.len().min(most - body.len()));
        body.extend_from_slice(kept);
        dropped += rest.len();
    }
    Ok(body)
}

/// The Workers form of a handler's reply.
pub(crate) fn show(reply: http::Response<Vec<u8>>) -> worker::Result<Response> {
    let headers = Headers::new();
    for (name, value) in reply.headers() {
        headers.append(name.as_str(), &String::from_utf8_lossy(value.as_bytes()))?;
    }
    let shown = ResponseBuilder::new()
        .with_status(reply.status().as_u16())
        .with_headers(headers);
    let body = reply.into_body();
    // Statuses such as 204 must not have a body at all, not even one of length zero.
    Ok(if body.is_empty() {
        shown.empty()
    } else {
        shown.fixed(body)
    })
}

/// What a caller gets when the deployment itself is broken. The cause goes to the log under the same request id.
pub(crate) fn broken(path: &str, fault: Fault) -> worker::Result<Response> {
    let problem = Problem::Broken(fault.0);
    let log = |line: &str| worker::console_error!("{line}");
    show(functions::unhandled(path, &problem, random(), log))
}

/// A request to be sent, without following redirects. A socket's upgrade has no `timeout`: it would end the socket.
pub(crate) fn request(
    (method, url): (&str, &str),
    headers: &Headers,
    body: &[u8],
    timeout: Option<&AbortSignal>,
) -> worker::Result<Request> {
    let init = web_sys::RequestInit::new();
    init.set_method(method);
    init.set_headers(headers.as_ref());
    if let Some(signal) = timeout {
        init.set_signal(Some(signal));
    }
    init.set_redirect(web_sys::RequestRedirect::Manual);
    if !body.is_empty() {
        init.set_body(&Uint8Array::from(body));
    }
    Ok(web_sys::Request::new_with_str_and_init(url, &init)?.into())
}

/// A signal that aborts what it is given to after `ms`.
pub(crate) fn timeout(ms: u64) -> AbortSignal {
    let ms = u32::try_from(ms).unwrap_or(u32::MAX);
    AbortSignal::from(web_sys::AbortSignal::timeout_with_u32(ms))
}

pub(crate) fn fault(error: impl std::fmt::Display) -> Fault {
    Fault(error.to_string())
}

/// Text of something JavaScript threw.
pub(crate) fn thrown(value: JsValue) -> String {
    worker::Error::from(value).to_string()
}
