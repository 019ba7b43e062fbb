//! The HTTP side: finds the component for a path, adds Spin's headers, and passes on what it answers.

use crate::instance::Maker;
use crate::route::{self, Match, Route};
use anyhow::{Context, Result};
use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::handler::ProxyHandler;

pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) routes: Vec<(Route, String)>,
    pub(crate) components: HashMap<String, ProxyHandler<Maker>>,
}

impl Server {
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) -> Result<()> {
        loop {
            let (stream, client) = listener.accept().await?;
            tokio::spawn(self.clone().connection(stream, client));
        }
    }

    /// Serves one connection. Like Spin's, its socket keeps Nagle's algorithm on.
    async fn connection(self: Arc<Self>, stream: TcpStream, client: SocketAddr) {
        let service = service_fn(|request| self.clone().answer(request, client));
        // A client that goes away in the middle is no news.
        let _ = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        client: SocketAddr,
    ) -> Result<Response<WasiBody>> {
        let path = request.uri().path().to_owned();
        if let Some(page) = path.strip_prefix("/.well-known/spin/") {
            return Ok(self.well_known(page));
        }
        let Some((route, component, matched)) = route::best(&self.routes, &path) else {
            return Ok(empty(StatusCode::NOT_FOUND));
        };
        let handler = &self.components[component];
        let request = prepare(request, client, route, &matched)?;
        match handler.handle((), request).await {
            Ok(response) => Ok(response),
            Err(error) => {
                eprintln!("spin-host: {component}: {error:#}");
                Ok(empty(StatusCode::INTERNAL_SERVER_ERROR))
            }
        }
    }

    fn well_known(&self, page: &str) -> Response<WasiBody> {
        match page {
            "health" => full("OK".to_owned()),
            "info" => full(format!(
                "{{\n  \"name\": \"{}\",\n  \"version\": \"{}\"\n}}",
                self.name, self.version
            )),
            _ => empty(StatusCode::NOT_FOUND),
        }
    }
}

/// Turns the request into the one a component sees: absolute URI, no `Connection`, Spin's own headers.
fn prepare(
    request: Request<Incoming>,
    client: SocketAddr,
    route: &Route,
    matched: &Match<'_>,
) -> Result<Request<WasiBody>> {
    let (mut parts, body) = request.into_parts();
    let host = match parts.headers.get(header::HOST) {
        Some(host) => host.to_str().context("the Host header is not text")?,
        None => parts.uri.host().context("no Host header")?,
    };
    let path = parts.uri.path_and_query().cloned();
    let path = path.unwrap_or(PathAndQuery::from_static("/"));
    let full_url = format!("http://{host}{path}");
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(host.parse::<Authority>().context("the Host header")?);
    uri.path_and_query = Some(path);
    parts.uri = Uri::from_parts(uri)?;

    let headers = &mut parts.headers;
    headers.remove(header::CONNECTION);
    let prefix = route.raw.strip_suffix("/...").unwrap_or(&route.raw);
    put(headers, "spin-path-info", &matched.rest);
    put(headers, "spin-full-url", &full_url);
    put(headers, "spin-matched-route", &route.raw);
    put(headers, "spin-base-path", "/");
    put(headers, "spin-raw-component-route", &route.raw);
    put(headers, "spin-component-route", prefix);
    put(headers, "spin-client-addr", &client.to_string());
    for (name, value) in &matched.named {
        put(headers, &format!("spin-path-match-{name}"), value);
    }
    let body = body.map_err(wasmtime_wasi_http::Error::from).boxed_unsync();
    Ok(Request::from_parts(parts, body))
}

/// Sets a header; one that cannot be written is left out, as in Spin.
fn put(headers: &mut HeaderMap, name: &str, value: &str) {
    let name = HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes());
    if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}

fn empty(status: StatusCode) -> Response<WasiBody> {
    let mut response = full(String::new());
    *response.status_mut() = status;
    response
}

fn full(text: String) -> Response<WasiBody> {
    let body = Full::new(Bytes::from(text)).map_err(|never| match never {});
    Response::new(body.boxed_unsync())
}
