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

use functions::{Answer, Fault};
use platform::Spin;
use spin_sdk::http::Request;
use spin_sdk::http_service;
use spin_sdk::wasip3::http::types::{ErrorCode, Response};

#[http_service]
async fn handle(request: Request) -> Result<Response, ErrorCode> {
    let reply = match exchange::read(request).await {
        Ok(request) => match Spin::open().await {
            Ok(host) => match functions::answer(&host, request).await {
                Answer::Reply(reply) => reply,
                // Handlers send sockets to the launcher where there is one, and Spin cannot do without.
                Answer::Media { .. } => exchange::failed("media needs a launcher: LAUNCHER_URL"),
            },
            Err(Fault(cause)) => exchange::failed(&cause),
        },
        Err(reply) => reply,
    };
    exchange::write(reply).await
}
