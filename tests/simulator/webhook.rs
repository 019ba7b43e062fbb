//! One request of Twilio's to us: signed, with the retries that the URL's fragment asks for.

use crate::clock::now_ms;
use crate::order::Hook;
use crate::record::{Attempt, Fields};
use crate::sign::{signature, signed_url};
use crate::twilio::Account;
use reqwest::{Client, RequestBuilder, Response};
use std::time::{Duration, Instant};

/// Most of an answer that is read: Twilio's limit for TwiML is 64 KB.
const LONGEST_BODY: usize = 64 * 1024;
/// How much of an answer to a callback is kept.
const KEPT_BODY: usize = 500;

/// What a retry policy may name: two kinds of answer, two kinds of none.
const KINDS: [&str; 5] = ["4xx", "5xx", "ct", "rt", "all"];

/// The client for all requests. Every request has its own connection, as a provider's many machines would.
pub(crate) struct Http(Client);

/// The attempts at one request, and the answer to the last.
pub(crate) struct Sent {
    /// The fragment asks for what does not exist, which Twilio logs as 11243.
    pub(crate) wrong_fragment: bool,
    pub attempts: Vec<Attempt>,
    pub answer: Option<Answer>,
}

pub(crate) struct Answer {
    pub status: u16,
    pub content_type: Option<String>,
    pub body: String,
}

/// `#rc=…&rp=…&ct=…&rt=…&tt=…`
#[derive(Debug, PartialEq, Eq)]
struct Retries {
    count: u32,
    on: Vec<String>,
    connect: Duration,
    read: Duration,
    total: Duration,
    wrong: bool,
}

impl Retries {
    fn of(url: &str) -> Self {
        let mut retries = Self {
            count: 1,
            on: vec!["ct".to_owned()],
            connect: Duration::from_millis(5000),
            read: Duration::from_millis(15_000),
            total: Duration::from_millis(15_000),
            wrong: false,
        };
        let Some((_, fragment)) = url.split_once('#') else {
            return retries;
        };
        let ms = |given: &str, least: u64, most: u64| {
            let ms = given.parse().ok().filter(|ms| (least..=most).contains(ms));
            ms.map(Duration::from_millis)
        };
        for pair in fragment.split('&') {
            match pair.split_once('=').unwrap_or((pair, "")) {
                ("rc", count) => match count.parse() {
                    Ok(count @ 0..=5) => retries.count = count,
                    _ => retries.wrong = true,
                },
                ("rp", kinds) => {
                    retries.on = kinds.split(',').map(str::to_owned).collect();
                    let known = |kind: &String| KINDS.contains(&kind.as_str());
                    retries.wrong |= !retries.on.iter().all(known);
                }
                ("ct", given) => match ms(given, 100, 10_000) {
                    Some(ms) => retries.connect = ms,
                    None => retries.wrong = true,
                },
                ("rt", given) => match ms(given, 100, 15_000) {
                    Some(ms) => retries.read = ms,
                    None => retries.wrong = true,
                },
                ("tt", given) => match ms(given, 100, 15_000) {
                    Some(ms) => retries.total = ms,
                    None => retries.wrong = true,
                },
                ("e" | "sni", _) => {}
                _ => retries.wrong = true,
            }
        }
        retries
    }

    /// Whether the policy covers what happened.
    fn cover(&self, outcome: &Result<Answer, Failure>) -> bool {
        let kind = match outcome {
            Ok(answer) if (400..500).contains(&answer.status) => "4xx",
            Ok(answer) if answer.status >= 500 => "5xx",
            Ok(_) => return false,
            Err(Failure::Connect(_)) => "ct",
            Err(Failure::Read(_)) => "rt",
        };
        self.on.iter().any(|on| on == kind || on == "all")
    }
}

enum Failure {
    Connect(String),
    Read(String),
}

impl Http {
    pub(crate) fn new() -> anyhow::Result<Self> {
        // Built together with the voice, reqwest has TLS but no provider for it. One that is installed already does.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent("TwilioProxy/1.1")
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .no_proxy()
            .build()?;
        Ok(Self(client))
    }

    /// Sends the fields, signed for the account, until the answer stands.
    pub(crate) async fn send(&self, account: &Account, hook: &Hook, fields: &Fields) -> Sent {
        let retries = Retries::of(&hook.url);
        // The same over retries, so that we can tell a retry from a second event.
        let token = uuid::Uuid::new_v4().to_string();
        let give_up = Instant::now() + retries.total;
        let mut attempts = Vec::new();
        loop {
            let (request, signature) = self.request(account, hook, fields);
            let request = request
                .header("x-twilio-signature", &signature)
                .header("i-twilio-idempotency-token", &token);
            let (at_ms, start) = (now_ms(), Instant::now());
            let time =
                (retries.connect + retries.read).min(give_up.saturating_duration_since(start));
            let outcome = tokio::time::timeout(time, exchange(request))
                .await
                .unwrap_or_else(|_| Err(Failure::Read("no answer in time".to_owned())));
            attempts.push(Attempt {
                at_ms,
                took_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
                status: outcome.as_ref().ok().map(|answer| answer.status),
                error: match &outcome {
                    Err(Failure::Connect(error) | Failure::Read(error)) => Some(error.clone()),
                    Ok(_) => None,
                },
                body: outcome.as_ref().map_or_else(
                    |_| String::new(),
                    |answer| answer.body.chars().take(KEPT_BODY).collect(),
                ),
                signature,
            });
            let may_repeat = attempts.len() <= retries.count as usize && Instant::now() < give_up;
            if !(may_repeat && retries.cover(&outcome)) {
                let answer = outcome.ok();
                return Sent {
                    wrong_fragment: retries.wrong,
                    attempts,
                    answer,
                };
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn request(&self, account: &Account, hook: &Hook, fields: &Fields) -> (RequestBuilder, String) {
        let mut url = signed_url(&hook.url);
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        if hook.get {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(&form);
            let signature = signature(&account.auth_token, &url, &[]);
            (self.0.get(url), signature)
        } else {
            let signature = signature(&account.auth_token, &url, fields);
            let request = self
                .0
                .post(url)
                .header(
                    "content-type",
                    "application/x-www-form-urlencoded; charset=utf-8",
                )
                .body(form);
            (request, signature)
        }
    }
}

async fn exchange(request: RequestBuilder) -> Result<Answer, Failure> {
    let response = request
        .header("accept", "*/*")
        .send()
        .await
        .map_err(|error| {
            let cause = causes(&error);
            if error.is_connect() || error.is_builder() {
                Failure::Connect(cause)
            } else {
                Failure::Read(cause)
            }
        })?;
    let status = response.status().as_u16();
    let content_type = response
        .headers()
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let body = read(response).await?;
    Ok(Answer {
        status,
        content_type,
        body,
    })
}

async fn read(mut response: Response) -> Result<String, Failure> {
    let mut body = Vec::new();
    while body.len() < LONGEST_BODY {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend(chunk),
            Ok(None) => break,
            Err(error) => return Err(Failure::Read(causes(&error))),
        }
    }
    body.truncate(LONGEST_BODY);
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// An error with everything beneath it, without the URL it was about.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = cause.to_string();
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fragment_sets_the_retries() {
        let retries = Retries::of("https://h/p#rc=3&rp=4xx,5xx,ct,rt&ct=3000&rt=10000&tt=15000");
        assert_eq!(retries.count, 3);
        assert_eq!(retries.on, ["4xx", "5xx", "ct", "rt"]);
        assert_eq!(retries.connect, Duration::from_secs(3));
        assert_eq!(retries.read, Duration::from_secs(10));
        let unset = Retries::of("https://h/p");
        assert_eq!(
            (unset.count, unset.on.as_slice()),
            (1, ["ct".to_owned()].as_slice())
        );
        for wrong in ["rc=9", "ct=1", "rp=6xx", "x=y", "rc"] {
            assert!(
                Retries::of(&format!("https://h/p#{wrong}")).wrong,
                "{wrong}"
            );
        }
    }

    #[test]
    fn only_what_the_policy_names_is_repeated() {
        let answer = |status| {
            Ok(Answer {
                status,
                content_type: None,
                body: String::new(),
            })
        };
        let unset = Retries::of("https://h/p");
        assert!(!unset.cover(&answer(503)));
        assert!(unset.cover(&Err(Failure::Connect(String::new()))));
        assert!(!unset.cover(&Err(Failure::Read(String::new()))));
        let asked = Retries::of("https://h/p#rp=5xx");
        assert!(asked.cover(&answer(503)));
        assert!(!asked.cover(&answer(404)));
        assert!(!asked.cover(&answer(200)));
    }
}
