//! The wall clock, read once: a conversation's time never jumps.

use crate::now;
use calls::time::Time;
use std::time::Duration;
use tokio::time::Instant;

pub(super) struct Clock {
    wall: Time,
    started: Instant,
}

impl Clock {
    pub(super) fn new() -> Clock {
        Clock {
            wall: now(),
            started: Instant::now(),
        }
    }

    pub(super) fn now(&self) -> Time {
        Time(self.wall.0 + self.started.elapsed().as_millis() as u64)
    }

    pub(super) fn instant(&self, time: Time) -> Instant {
        self.started + Duration::from_millis(time.0.saturating_sub(self.wall.0))
    }
}
