//! Requests a component sends: checked against its grants, sent over pooled connections, failures named as Spin names them.

use crate::allowed::AllowedHosts;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::collections::HashMap;
use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

type HttpClient = Client<HttpsConnector<HttpConnector>, WasiBody>;
type Received = Result<Response, Error>;
type Response = (http::Response<WasiBody>, Sent);
type Sent = Box<dyn Future<Output = Result<(), Error>> + Send>;

/// What Spin waits where the component says nothing.
const PATIENCE: Duration = Duration::from_secs(600);

/// The connections of all components, kept open between requests: one pool per connect timeout.
#[derive(Clone, Default)]
pub(crate) struct Clients(Arc<Mutex<HashMap<Duration, HttpClient>>>);

impl Clients {
    fn with_connect_timeout(&self, timeout: Duration) -> HttpClient {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let client = clients.entry(timeout).or_insert_with(|| {
            let mut connector = HttpConnector::new();
            connector.enforce_http(false);
            connector.set_connect_timeout(Some(timeout));
            let connector = HttpsConnectorBuilder::new()
                .with_webpki_roots()
                .https_or_http()
                .enable_http1()
                .wrap_connector(connector);
            Client::builder(TokioExecutor::new()).build(connector)
        });
        client.clone()
    }
}

/// One component's way out.
pub(crate) struct Outbound {
    pub(crate) hosts: AllowedHosts,
    pub(crate) clients: Clients,
}

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        mut request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Sent,
    ) -> Box<dyn Future<Output = Received> + Send> {
        let allowed = self.hosts.allow(request.uri());
        let options = options.unwrap_or_default();
        let client = self
            .clients
            .with_connect_timeout(options.connect_timeout.unwrap_or(PATIENCE));
        Box::new(async move {
            if !allowed {
                eprintln!(
                    "spin-host: a component tried to reach {}, which allowed_outbound_hosts does not grant",
                    request.uri().authority().map_or("", |host| host.as_str())
                );
                return Err(Error::HttpRequestDenied);
            }
            request.headers_mut().remove(http::header::HOST);
            let first_byte = options.first_byte_timeout.unwrap_or(PATIENCE);
            let response = tokio::time::timeout(first_byte, client.request(request))
                .await
                .map_err(|_| Error::ConnectionReadTimeout)?
                .map_err(name)?;
            let between = options.between_bytes_timeout.unwrap_or(PATIENCE);
            let response = response.map(|body| Patient::new(body, between).boxed_unsync());
            let sent: Sent = Box::new(async { Ok(()) });
            Ok((response, sent))
        })
    }
}

/// The wasi:http error code for a request without an answer.
fn name(error: hyper_util::client::legacy::Error) -> Error {
    let cause = error
        .source()
        .map(ToString::to_string)
        .unwrap_or_else(|| error.to_string());
    if !error.is_connect() {
        return Error::HttpProtocolError;
    }
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<std::io::Error>()
            && error.kind() == std::io::ErrorKind::TimedOut
        {
            return Error::ConnectionTimeout;
        }
        source = error.source();
    }
    if cause.contains("dns") {
        return Error::DnsError {
            rcode: Some("address not available".to_owned()),
            info_code: Some(0),
        };
    }
    Error::ConnectionRefused
}

/// A response body that fails when nothing comes for a while.
struct Patient {
    body: hyper::body::Incoming,
    patience: Duration,
    until: std::pin::Pin<Box<tokio::time::Sleep>>,
}

impl Patient {
    fn new(body: hyper::body::Incoming, patience: Duration) -> Patient {
        let until = Box::pin(tokio::time::sleep(patience));
        Patient {
            body,
            patience,
            until,
        }
    }
}

impl http_body::Body for Patient {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Error>>> {
        use std::task::Poll;
        match std::pin::Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => {
                let until = tokio::time::Instant::now() + self.patience;
                self.until.as_mut().reset(until);
                Poll::Ready(frame.map(|frame| frame.map_err(|_| Error::HttpProtocolError)))
            }
            Poll::Pending => match self.until.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(Some(Err(Error::ConnectionReadTimeout))),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
