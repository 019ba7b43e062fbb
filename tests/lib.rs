//! What the tests stand on: a platform in memory, the reader of contract cases, and drivers that put them to a host.

pub mod case;
pub mod crowd;
pub mod driver;
pub mod kv;
pub mod memory;
pub mod placed;
pub mod running;
pub mod same;
pub mod socket;
pub mod tenant;
pub mod voices;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Runs a future that never waits, as handlers on [`memory::Memory`] never do.
pub fn finish<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a handler waited for something that is not the platform"),
    }
}
