//! Load: so many requests at once for so long, and how long each took.

use crate::http;
use anyhow::{Context, Result, bail};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use ureq::http::Request;

/// What one load came to.
pub(crate) struct Load {
    pub(crate) per_second: f64,
    /// Milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) requests: usize,
}

/// Sends what `request` makes (it gets a running number) over `connections` kept connections, for at most
/// `limit` and at most `most` requests. Any answer but 200 and 201 is an error.
pub(crate) fn run(
    connections: usize,
    limit: Duration,
    most: usize,
    request: impl Fn(usize) -> Result<Request<String>> + Sync,
) -> Result<Load> {
    let next = AtomicUsize::new(0);
    let began = Instant::now();
    let took: Result<Vec<Vec<Duration>>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..connections)
            .map(|_| {
                scope.spawn(|| {
                    let agent = http::agent(Duration::from_secs(30));
                    let mut took = Vec::new();
                    while began.elapsed() < limit {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= most {
                            break;
                        }
                        let request = request(number)?;
                        let sent = Instant::now();
                        let mut answer = agent.run(request).context("no answer")?;
                        let body = answer.body_mut().read_to_string()?;
                        if !matches!(answer.status().as_u16(), 200 | 201) {
                            bail!("request {number} was answered {}: {body}", answer.status());
                        }
                        took.push(sent.elapsed());
                    }
                    Ok(took)
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|_| bail!("a connection crashed"))
            })
            .collect()
    });
    let seconds = began.elapsed().as_secs_f64();
    let mut took: Vec<Duration> = took?.into_iter().flatten().collect();
    if took.is_empty() {
        bail!("no request was answered");
    }
    took.sort();
    let at = |share: f64| {
        let index = ((took.len() - 1) as f64 * share).round() as usize;
        took[index].as_secs_f64() * 1000.0
    };
    Ok(Load {
        per_second: took.len() as f64 / seconds,
        p50: at(0.5),
        p99: at(0.99),
        requests: took.len(),
    })
}
