//! Many futures run at once in one thread, in an order drawn from a seed: what one does between two steps of another.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

/// Runs all of them to their end, one step of one of them at a time.
pub fn finish<T>(seed: u64, futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut running: Vec<(usize, Pin<Box<_>>)> =
        futures.into_iter().map(Box::pin).enumerate().collect();
    let mut done = Vec::new();
    let mut drawn = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while !running.is_empty() {
        drawn ^= drawn << 13;
        drawn ^= drawn >> 7;
        drawn ^= drawn << 17;
        let next = (drawn % running.len() as u64) as usize;
        let polled = running[next]
            .1
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(value) = polled {
            let (number, _) = running.swap_remove(next);
            done.push((number, value));
        }
    }
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, value)| value).collect()
}

/// Lets another go on.
pub async fn turn() {
    let mut waited = false;
    let turn = std::future::poll_fn(|_| match std::mem::replace(&mut waited, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    });
    pin!(turn).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// Reading and writing in two steps loses what others wrote in between: the orders do meet.
    #[test]
    fn others_come_in_between() {
        let lost = (0..20).filter(|seed| {
            let count = Cell::new(0);
            let add = async || {
                let read = count.get();
                turn().await;
                count.set(read + 1);
            };
            finish(*seed, (0..5).map(|_| add()).collect());
            count.get() < 5
        });
        assert!(lost.count() > 10);
    }
}
