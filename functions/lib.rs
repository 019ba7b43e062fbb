//! The order in which things happen. To be written: the route table.

pub mod platform;

use calls::id::CallId;
use calls::time::Time;
pub use platform::{Due, Facts, Fault, Lease, Opened, Platform, SendError};

/// The largest request body, in bytes. A host reads at most one byte more, so that a larger one shows.
pub const BODY_LIMIT: usize = 256 * 1024;

/// What a request comes to.
#[derive(Debug)]
pub enum Answer {
    /// An ordinary response.
    Reply(http::Response<Vec<u8>>),
    /// The request is an authorized WebSocket upgrade: hand it to the call's voice container,
    /// as `GET /calls/{call}/stream`.
    Media(CallId),
}

/// Answers one request.
pub async fn answer(_host: &impl Platform, _request: http::Request<Vec<u8>>) -> Answer {
    Answer::Reply(http::Response::new(Vec::new()))
}

/// Does what is due for one call and says when to be called again; `None` when the call is over.
/// Workers calls it from the call's alarm, Spin for each call in the due-index, both at the time asked for by
/// [`Platform::open_call`] and [`Platform::wake_at`].
pub async fn wake(_host: &impl Platform, _call: CallId) -> Result<Option<Time>, Fault> {
    Ok(None)
}

/// Tells a call that its voice container stopped without an orderly end.
pub async fn audio_lost(_host: &impl Platform, _call: CallId, _cause: &str) -> Result<(), Fault> {
    Ok(())
}
