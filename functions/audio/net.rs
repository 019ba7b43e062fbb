//! The HTTP client: certificate roots and name resolution are built in, since the voice image has neither.

use anyhow::Context as _;
use std::sync::Arc;
use std::time::Duration;

pub fn client() -> anyhow::Result<reqwest::Client> {
    builder()?.build().context("the HTTP client cannot be made")
}

pub(crate) fn builder() -> anyhow::Result<reqwest::ClientBuilder> {
    let roots = rustls::RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .hickory_dns(true)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5)))
}

/// What went wrong, for the log. Addresses carry tokens, so they stay out of it.
pub(crate) fn why(error: reqwest::Error) -> String {
    format!("{:#}", anyhow::Error::from(error.without_url()))
}
