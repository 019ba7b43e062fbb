//! The one part of Ringdown that is not WebAssembly: what the programs `voice` (talks on one call) and
//! `launcher` (starts one `voice` per call) are made of.

pub mod call;
pub mod launch;
pub mod net;
pub mod report;
pub mod speech;

use calls::time::Time;
use std::time::{SystemTime, UNIX_EPOCH};

pub fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Time(since.unwrap_or_default().as_millis() as u64)
}

/// The value that follows `--name` on the command line.
pub fn flag(name: &str) -> Option<String> {
    let mut arguments = std::env::args().skip(1);
    arguments.find(|argument| argument.strip_prefix("--") == Some(name))?;
    arguments.next()
}
