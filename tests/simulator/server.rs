//! The server: its routes, and an accept loop of its own because a broken create cuts its connection.

use crate::twilio::{Config, Twilio};
use crate::{desk, inbox, list, recording, rest};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::routing::{any, get, post, put};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tower::ServiceExt as _;

pub(crate) type App = Arc<Twilio>;

/// Ends the connection that a request came on, without an answer.
#[derive(Clone, Default)]
pub(crate) struct Cut(Arc<Notify>);

impl Cut {
    pub(crate) async fn now(&self) -> ! {
        self.0.notify_one();
        // The connection's task is dropped, and this request with it.
        std::future::pending().await
    }
}

/// Serves for as long as it is polled; the error is a wrong configuration.
pub async fn serve(listener: TcpListener, config: Config) -> anyhow::Result<()> {
    let base_url = format!("http://{}", listener.local_addr()?);
    let routes = routes(Arc::new(Twilio::new(config, base_url)?));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of sockets, or the client is gone already; neither is a reason to stop.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Without it answers are only slower.
        let _ = stream.set_nodelay(true);
        let cut = Cut::default();
        let ends = cut.clone();
        let service =
            routes
                .clone()
                .map_request(move |request: hyper::Request<hyper::body::Incoming>| {
                    let mut request = Request::from(request.map(axum::body::Body::new));
                    request.extensions_mut().insert(ends.clone());
                    request
                });
        tokio::spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
            tokio::select! {
                // How a client leaves is its own affair.
                _ = connection => {}
                () = cut.0.notified() => {}
            }
        });
    }
}

fn routes(app: App) -> Router {
    let account = Router::new()
        .route("/Accounts/{file}", get(rest::account))
        .route(
            "/Accounts/{account}/Calls.json",
            post(rest::create).get(list::list),
        )
        .route(
            "/Accounts/{account}/Calls/{file}",
            get(rest::read).post(rest::change),
        )
        .route(
            "/Accounts/{account}/Calls/{call}/Recordings.json",
            get(recording::list),
        )
        .route(
            "/Accounts/{account}/Calls/{call}/Notifications.json",
            get(rest::notifications),
        )
        .route(
            "/Accounts/{account}/Recordings/{file}",
            get(recording::audio),
        );
    Router::new()
        .nest("/2010-04-01", account)
        .route("/_sim/calls", get(desk::calls).delete(desk::forget))
        .route("/_sim/calls/{sid}", get(desk::call).post(desk::steer))
        .route("/_sim/calls/{sid}/{file}", get(desk::audio))
        .route("/_sim/stats", get(desk::stats))
        .route(
            "/_sim/faults",
            get(desk::faults)
                .put(desk::set_faults)
                .delete(desk::forget_faults),
        )
        .route(
            "/_sim/faults/{to}",
            get(desk::faults)
                .put(desk::set_faults)
                .delete(desk::forget_faults),
        )
        .route("/_sim/inbox", axum::routing::delete(inbox::forget_all))
        .route(
            "/_sim/inbox/{name}",
            any(inbox::receive).delete(inbox::forget),
        )
        .route(
            "/_sim/inbox/{name}/requests",
            get(inbox::requests).delete(inbox::forget_requests),
        )
        .route(
            "/_sim/inbox/{name}/answer",
            put(inbox::set_answer).delete(inbox::forget_answer),
        )
        .route("/_sim/inbox/{name}/{*rest}", any(inbox::receive))
        .fallback(rest::nothing)
        .layer(DefaultBodyLimit::max(2 * 1024 * 1024))
        .with_state(app)
}
