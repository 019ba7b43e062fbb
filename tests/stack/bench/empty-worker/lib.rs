//! One key-value read and nothing else on workerd: what the gateway is measured against.

use worker::{Context, Env, Request, Response, event};

#[event(fetch)]
async fn fetch(_request: Request, env: Env, _context: Context) -> worker::Result<Response> {
    let value = env.kv("CONFIG")?.get("key").text().await?;
    Response::ok(value.unwrap_or_default())
}
