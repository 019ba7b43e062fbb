//! One key-value read and nothing else on Spin: what the gateway is measured against.

use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;
use spin_sdk::key_value::Store;

#[http_service]
async fn handle(_request: Request) -> anyhow::Result<impl IntoResponse> {
    let store = Store::open_default().await?;
    let Some(value) = store.get("key").await? else {
        store.set("key", b"value").await?;
        return Ok(String::new());
    };
    Ok(String::from_utf8(value)?)
}
