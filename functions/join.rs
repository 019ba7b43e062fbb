//! Waits for many things at once. Small, and polled in order, so that a platform that never waits is done in one go.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// What every future comes to, in their order.
pub(crate) async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<Option<Pin<Box<F>>>> = futures
        .into_iter()
        .map(|future| Some(Box::pin(future)))
        .collect();
    let mut values: Vec<Option<F::Output>> = waiting.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, value) in waiting.iter_mut().zip(&mut values) {
            if let Some(running) = future
                && let Poll::Ready(done) = running.as_mut().poll(context)
            {
                *value = Some(done);
                *future = None;
            }
        }
        match waiting.iter().all(Option::is_none) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    values.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::pin::pin;
    use std::task::{Context, Waker};

    #[test]
    fn waits_for_the_slowest_and_keeps_the_order() {
        let polls = Cell::new(0);
        let slow = |turns: u32| {
            let polls = &polls;
            let mut left = turns;
            poll_fn(move |_| {
                polls.set(polls.get() + 1);
                match left.checked_sub(1) {
                    None => Poll::Ready(turns),
                    Some(less) => {
                        left = less;
                        Poll::Pending
                    }
                }
            })
        };
        let mut all = pin!(all([2, 0, 1].map(slow)));
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(all.as_mut().poll(&mut context), Poll::Pending);
        assert_eq!(all.as_mut().poll(&mut context), Poll::Pending);
        assert_eq!(all.as_mut().poll(&mut context), Poll::Ready(vec![2, 0, 1]));
        // None is polled again after it was done.
        assert_eq!(polls.get(), 6);
    }
}
