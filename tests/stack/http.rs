//! Requests to the pieces of the stack, all on this machine.

use anyhow::{Context, Result};
use serde_json::Value;
use std::time::{Duration, Instant};
use ureq::Agent;
use ureq::http::{Request, Response};

/// An answer, whatever its status.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) call: Option<String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.body).with_context(|| {
            format!(
                "not JSON: {}",
                self.body.chars().take(200).collect::<String>()
            )
        })
    }
}

/// One that keeps connections and never takes a status for an error.
pub(crate) fn agent(timeout: Duration) -> Agent {
    Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .build()
        .into()
}

pub(crate) fn get(url: &str, key: Option<&str>) -> Result<Answer> {
    let mut request = Request::get(url);
    if let Some(key) = key {
        request = request.header("x-api-key", key);
    }
    let answer = agent(Duration::from_secs(10)).run(request.body(())?);
    read(url, answer)
}

pub(crate) fn post(url: &str, headers: &[(&str, &str)], body: &str) -> Result<Answer> {
    let mut request = Request::post(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = agent(Duration::from_secs(30)).run(request.body(body.to_owned())?);
    read(url, answer)
}

/// Asks every fifth of a second until it answers 200, `still_going` says no, or time is up.
pub(crate) fn wait_for_200(
    url: &str,
    limit: Duration,
    mut still_going: impl FnMut() -> bool,
) -> Result<()> {
    let began = Instant::now();
    let mut last = "no answer".to_owned();
    while began.elapsed() < limit {
        match get(url, None) {
            // Another program's answer would not do.
            Ok(answer) if answer.status == 200 && still_going() => return Ok(()),
            Ok(answer) => last = format!("{} {}", answer.status, answer.body),
            Err(error) => last = format!("{error:#}"),
        }
        crate::signals::check()?;
        if !still_going() {
            anyhow::bail!("it ended before it was ready");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    anyhow::bail!("not ready within {} s: {last}", limit.as_secs())
}

fn read(url: &str, answer: Result<Response<ureq::Body>, ureq::Error>) -> Result<Answer> {
    let mut answer = answer.with_context(|| format!("no answer from {url}"))?;
    Ok(Answer {
        status: answer.status().as_u16(),
        call: answer
            .headers()
            .get("x-call-id")
            .and_then(|id| id.to_str().ok())
            .map(str::to_owned),
        body: answer.body_mut().read_to_string()?,
    })
}
