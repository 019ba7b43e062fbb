//! Requests and responses as Spin has them, and as the handlers do.
//!
//! Spin's sockets keep Nagle's algorithm on, so a body that comes a moment after its head waits for the other side's
//! acknowledgement, which may be held back for 40 ms. [`abreast`] is what makes them leave together.

use crate::store::random;
use bytes::Bytes;
use calls::problem::Problem;
use functions::{BODY_LIMIT, SendError};
use futures::future::{Either, select};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body_util::Full;
use spin_sdk::http::Request;
use spin_sdk::wasip3;
use spin_sdk::wasip3::http::client;
use spin_sdk::wasip3::http::types::{self, ErrorCode, Response};
use spin_sdk::wasip3::http_compat::{BodyWriter, http_from_wasi_response};
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

/// How long a client may take to send its body.
const BODY_S: u64 = 30;
/// How much of a request's body is read at most, in bytes, so that its client sees the answer.
const READ_LIMIT: usize = 16 * 1024 * 1024;
/// How much of an answer is read; what is beyond is cut off.
const ANSWER_LIMIT: usize = 1024 * 1024;
/// How long a connection may take to come about.
const CONNECT_MS: u64 = 5_000;

/// Keeps the request's body, one byte more than the limit at most. What is beyond is read and forgotten: a client that
/// is still sending when its connection is closed does not get to see why.
pub(crate) async fn read(request: Request) -> Result<http::Request<Vec<u8>>, Problem> {
    let (parts, body) = request.into_parts();
    let slow = spin_sdk::time::sleep(Duration::from_secs(BODY_S));
    match select(pin!(collect(body, BODY_LIMIT, READ_LIMIT)), pin!(slow)).await {
        Either::Left((Ok(body), _)) => Ok(http::Request::from_parts(parts, body)),
        Either::Left((Err(_), _)) => Err(incomplete("broke off")),
        Either::Right(_) => Err(incomplete(&format!("took longer than {BODY_S} seconds"))),
    }
}

fn incomplete(what: &str) -> Problem {
    Problem::Malformed(format!("The request body {what}"))
}

/// Hands the reply to Spin.
pub(crate) async fn write(reply: http::Response<Vec<u8>>) -> Result<Response, ErrorCode> {
    abreast().await;
    let (mut parts, body) = reply.into_parts();
    let bodyless = matches!(parts.status.as_u16(), 100..=199 | 204 | 304);
    if !bodyless {
        parts.headers.insert(CONTENT_LENGTH, body.len().into());
    }
    let (writer, contents, trailers) = BodyWriter::new();
    let contents = (!bodyless && !body.is_empty()).then_some(contents);
    let (response, _) = Response::new(fields(parts.headers)?, contents, trailers);
    if response.set_status_code(parts.status.as_u16()).is_err() {
        return Err(ErrorCode::InternalError(None));
    }
    offer(writer, body);
    Ok(response)
}

/// Sends a request and reads the answer.
pub(crate) async fn send(
    request: http::Request<Vec<u8>>,
    timeout_ms: u64,
) -> Result<http::Response<Vec<u8>>, SendError> {
    let timeout = spin_sdk::time::sleep(Duration::from_millis(timeout_ms));
    match select(pin!(send_patiently(request, timeout_ms)), pin!(timeout)).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => Err(SendError::Unclear(format!("no answer in {timeout_ms} ms"))),
    }
}

async fn send_patiently(
    request: http::Request<Vec<u8>>,
    timeout_ms: u64,
) -> Result<http::Response<Vec<u8>>, SendError> {
    abreast().await;
    let request = outgoing(request, timeout_ms)
        .map_err(|error| SendError::NotSent(format!("the request does not hold: {error:?}")))?;
    let answer = client::send(request).await.map_err(|error| {
        let cause = format!("{error:?}");
        match never_left(&error) {
            true => SendError::NotSent(cause),
            false => SendError::Unclear(cause),
        }
    })?;
    let answer = http_from_wasi_response(answer)
        .map_err(|error| SendError::Unclear(format!("the answer does not read: {error:?}")))?;
    let (parts, body) = answer.into_parts();
    let mut body = collect(body, ANSWER_LIMIT, ANSWER_LIMIT)
        .await
        .map_err(|error| SendError::Unclear(format!("the answer broke off: {error:?}")))?;
    body.truncate(ANSWER_LIMIT);
    Ok(http::Response::from_parts(parts, body))
}

fn outgoing(request: http::Request<Vec<u8>>, timeout_ms: u64) -> Result<types::Request, ErrorCode> {
    let (mut parts, body) = request.into_parts();
    parts.headers.remove(http::header::HOST);
    parts.headers.insert(CONTENT_LENGTH, body.len().into());
    let ns = |ms: u64| Some(ms.saturating_mul(1_000_000));
    let options = types::RequestOptions::new();
    let limits = [
        // Less than the whole, so that a connection that never came about is told from an answer that did not.
        options.set_connect_timeout(ns(CONNECT_MS.min(timeout_ms / 2))),
        options.set_first_byte_timeout(ns(timeout_ms)),
        options.set_between_bytes_timeout(ns(timeout_ms)),
    ];
    if limits.iter().any(Result::is_err) {
        return Err(ErrorCode::InternalError(None));
    }
    let (writer, contents, trailers) = BodyWriter::new();
    let contents = (!body.is_empty()).then_some(contents);
    let (outgoing, _) =
        types::Request::new(fields(parts.headers)?, contents, trailers, Some(options));
    let scheme = parts.uri.scheme().map(Into::into);
    let path = parts.uri.path_and_query().map(|path| path.as_str());
    let authority = parts.uri.authority().map(|authority| authority.as_str());
    let set = [
        outgoing.set_method(&parts.method.into()),
        outgoing.set_scheme(scheme.as_ref()),
        outgoing.set_authority(authority),
        outgoing.set_path_with_query(path),
    ];
    if set.iter().any(Result::is_err) {
        return Err(ErrorCode::HttpRequestUriInvalid);
    }
    offer(writer, body);
    Ok(outgoing)
}

/// Whether nothing can have reached the other side: the request was not allowed, or no connection came about.
fn never_left(error: &ErrorCode) -> bool {
    matches!(
        error,
        ErrorCode::HttpRequestDenied
            | ErrorCode::HttpRequestMethodInvalid
            | ErrorCode::HttpRequestUriInvalid
            | ErrorCode::DnsTimeout
            | ErrorCode::DnsError(_)
            | ErrorCode::DestinationNotFound
            | ErrorCode::DestinationUnavailable
            | ErrorCode::DestinationIpProhibited
            | ErrorCode::DestinationIpUnroutable
            | ErrorCode::ConnectionRefused
            | ErrorCode::ConnectionTimeout
            | ErrorCode::ConnectionLimitReached
            | ErrorCode::TlsProtocolError
            | ErrorCode::TlsCertificateError
    )
}

/// Waits for a moment in which head and body leave together.
///
/// After an access to a store Spin runs this instance on a thread of its own, and passes the head to the connection while
/// the body is still on its way. Yielding brings the instance back among the connections, which then wait for their turn.
async fn abreast() {
    spin_sdk::wit_bindgen::yield_async().await;
}

/// Writes the body as far as that goes at once, so that Spin finds it when it gets the head; the rest goes on by itself.
fn offer(writer: BodyWriter, body: Vec<u8>) {
    let mut writing = Box::pin(async move {
        let mut body = Full::new(Bytes::from(body));
        // A reader that goes away needs no body.
        let _ = writer.send_http_body(&mut body).await;
    });
    let mut once = Context::from_waker(Waker::noop());
    if writing.as_mut().poll(&mut once).is_pending() {
        wasip3::spawn(writing);
    }
}

/// Reads a body until it is longer than `most`, and keeps as much as shows whether it is longer than `limit`.
async fn collect<B>(mut body: B, limit: usize, most: usize) -> Result<Vec<u8>, B::Error>
where
    B: http_body_util::BodyExt<Data = Bytes> + Unpin,
{
    let mut kept = Vec::new();
    let mut read = 0;
    while read <= most {
        let Some(frame) = body.frame().await else {
            break;
        };
        if let Ok(data) = frame?.into_data() {
            read += data.len();
            let room = (limit + 1 - kept.len()).min(data.len());
            kept.extend_from_slice(&data[..room]);
        }
    }
    Ok(kept)
}

fn fields(headers: HeaderMap) -> Result<types::Fields, ErrorCode> {
    headers
        .try_into()
        .map_err(|error| ErrorCode::InternalError(Some(format!("{error:?}"))))
}

/// The answer to a request that no handler gets to see.
pub(crate) fn unhandled(path: &str, problem: &Problem) -> http::Response<Vec<u8>> {
    functions::unhandled(path, problem, random(), |line| println!("{line}"))
}
