//! The Cloudflare Workers host: requests come in here and go to the handlers.

mod audio;
mod call_object;
mod config;
mod documents;
mod exchange;
mod facts;
mod objects;
mod organization_object;
mod platform;
mod sql;

use functions::Answer;
use platform::Workers;
use worker::{Context, Env, Request, Response, event};

#[event(start)]
fn start() {
    std::panic::set_hook(Box::new(|panic| worker::console_error!("{panic}")));
}

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> worker::Result<Response> {
    let path = request.path();
    let host = match Workers::new(env) {
        Ok(host) => host,
        Err(fault) => return exchange::broken(&path, fault),
    };
    let asked = match exchange::read(&request).await {
        Ok(asked) => asked,
        Err(fault) => return exchange::broken(&path, fault),
    };
    match functions::answer(&host, asked).await {
        Answer::Reply(reply) => exchange::show(reply),
        Answer::Media { call, otherwise } => match host.media(call).await {
            Ok(socket) if socket.status_code() == 101 => Ok(socket),
            Ok(_) => exchange::show(otherwise),
            Err(fault) => {
                let call = call.to_string();
                let line = serde_json::json!({"level": "error", "call_id": call, "cause": fault.0});
                worker::console_error!("{line}");
                exchange::show(otherwise)
            }
        },
    }
}
