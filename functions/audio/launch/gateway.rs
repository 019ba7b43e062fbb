//! Signed requests to the gateway.

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
        let at = crate::now().unix_s();
        let signature = sign_launcher(self.key.expose(), at, "POST", path, body.as_bytes());
        self.http
            .post(format!("{}{path}", self.origin))
            .timeout(patience)
            .header("content-type", "application/json")
            .header(TIMESTAMP_HEADER, at)
            .header(SIGNATURE_HEADER, signature)
            .body(body)
            .send()
            .await
    }
}
