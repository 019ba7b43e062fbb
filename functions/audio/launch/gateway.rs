//! Signed requests to the gateway.

use axum::http::HeaderMap;
use calls::secret::Secret;
use calls::voice::{SIGNATURE_HEADER, TIMESTAMP_HEADER, sign_launcher};
use std::time::Duration;

/// How long the gateway may take to authorize a socket: Twilio itself waits no longer.
pub(super) const ANSWER: Duration = Duration::from_secs(15);

pub(super) struct Gateway {
    http: reqwest::Client,
    /// Without a slash at the end.
    origin: String,
    pub(super) key: Secret,
}

impl Gateway {
    pub(super) fn new(http: reqwest::Client, origin: String, key: Secret) -> Gateway {
        let origin = origin.trim_end_matches('/').to_owned();
        Gateway { http, origin, key }
    }

    pub(super) async fn post(
        &self,
        path: &str,
        body: String,
        patience: Duration,
    ) -> reqwest::Result<reqwest::Response> {
        let request = self.signed(path, None, body);
        request.timeout(patience).send().await
    }

    /// Asks with an empty body, a query, and headers that speak for somebody else. The signature covers none of them.
    pub(super) async fn ask(
        &self,
        path: &str,
        query: Option<&str>,
        headers: HeaderMap,
    ) -> reqwest::Result<reqwest::Response> {
        let request = self.signed(path, query, String::new());
        request.headers(headers).timeout(ANSWER).send().await
    }

    fn signed(&self, path: &str, query: Option<&str>, body: String) -> reqwest::RequestBuilder {
        let at = crate::now().unix_s();
        let signature = sign_launcher(self.key.expose(), at, "POST", path, body.as_bytes());
        let query = query.map_or_else(String::new, |query| format!("?{query}"));
        self.http
            .post(format!("{}{path}{query}", self.origin))
            .header("content-type", "application/json")
            .header(TIMESTAMP_HEADER, at)
            .header(SIGNATURE_HEADER, signature)
            .body(body)
    }
}
