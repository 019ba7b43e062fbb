//! The Spin host: the entry of the component that `spin.toml` mounts four times.
//!
//! Requests share an instance, up to sixteen at once, and a panic in one answers 500 to all of them:
//! nothing here panics, waits without a bound, or keeps one request's state where another sees it.

mod call;
mod documents;
mod due;
mod exchange;
#[cfg(test)]
mod memory;
mod once;
mod platform;
mod seats;
mod settings;
mod store;

use calls::problem::Problem;
use functions::{Answer, Fault};
use platform::Spin;
use spin_sdk::http::Request;
use spin_sdk::http_service;
use spin_sdk::wasip3::http::types::{ErrorCode, Response};

#[http_service]
async fn handle(request: Request) -> Result<Response, ErrorCode> {
    let path = request.uri().path().to_owned();
    let unhandled = |problem: &Problem| exchange::unhandled(&path, problem);
    let broken = |cause: &str| unhandled(&Problem::Broken(cause.to_owned()));
    let reply = match exchange::read(request).await {
        Ok(request) => match Spin::open().await {
            Ok(host) => match functions::answer(&host, request).await {
                Answer::Reply(reply) => reply,
                // Handlers send sockets to the launcher where there is one, and Spin cannot do without.
                Answer::Media { .. } => broken("media needs a launcher: LAUNCHER_URL"),
            },
            Err(Fault(cause)) => broken(&cause),
        },
        Err(problem) => unhandled(&problem),
    };
    exchange::write(reply).await
}
