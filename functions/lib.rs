//! The order in which things happen. [`answer`] is the route table: start reading there.

mod access;
mod account;
mod admin;
mod admission;
mod aftermath;
mod analysis;
mod attempts;
mod body;
mod campaigns;
mod chat;
mod contacts;
mod crm;
mod dedupe;
mod documents;
mod dry_run;
mod fire;
mod gates;
mod idempotency;
mod inbound;
mod initiate;
mod join;
pub mod launcher;
mod ledger;
mod list;
mod mailbox;
mod openapi;
mod place;
pub mod platform;
mod reconcile;
mod reply;
mod reports;
mod retry;
mod schedule;
mod segments;
mod settle;
mod sids;
mod socket;
mod status;
mod store;
mod suppressions;
mod tenants;
mod texts;
mod tick;
mod trigger;
mod voice;
mod webhook;

use calls::config::REST_APIS;
use calls::dialect::Dialect;
use calls::dialect::allomia::AlloMia;
use calls::dialect::asisso::Asisso;
use calls::dialect::burki::Burki;
use calls::dialect::dialout::Dialout;
use calls::dialect::ringdown::Ringdown;
use calls::dialect::voicing::Voicing;
use calls::id::CallId;
use calls::problem::Problem;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
pub use platform::{Entries, Facts, Fault, Opened, Owner, Platform, SendError};
use reply::Reply;
use reports::{deliveries, subscribe, webhooks};
pub use settle::{audio_lost, wake};
use socket::Routed;

/// The largest request body, in bytes. A host reads at most one byte more, so that a larger one shows.
pub const BODY_LIMIT: usize = 256 * 1024;

/// What a request comes to.
#[derive(Debug)]
pub enum Answer {
    /// An ordinary response.
    Reply(http::Response<Vec<u8>>),
    /// The request is an authorized WebSocket upgrade: hand it to the call's voice container,
    /// as `GET /calls/{call}/stream`, or answer `otherwise` if that does not take it.
    Media {
        call: CallId,
        otherwise: http::Response<Vec<u8>>,
    },
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Problem {
        Problem::Broken(fault.0)
    }
}

/// Makes one line of a header that was sent in several, as some hosts do and others do not (RFC 9110, 5.3), so that nobody
/// reads the first of two different keys.
fn join_repeated(headers: &mut HeaderMap) {
    let repeated: Vec<HeaderName> = headers
        .keys()
        .filter(|name| headers.get_all(*name).iter().count() > 1)
        .cloned()
        .collect();
    for name in repeated {
        let lines: Vec<&[u8]> = headers
            .get_all(&name)
            .iter()
            .map(HeaderValue::as_bytes)
            .collect();
        if let Ok(joined) = HeaderValue::from_bytes(&lines.join(&b", "[..])) {
            headers.insert(name, joined);
        }
    }
}

/// Answers one request. Every answer carries `x-request-id`.
pub async fn answer(host: &impl Platform, mut request: Request<Vec<u8>>) -> Answer {
    join_repeated(request.headers_mut());
    let segments = segments::of(request.uri().path());
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let request_id = reply::request_id(host.random());
    let dialect = dialect_of(&segments);
    let refusal = |problem: &Problem| {
        let log = |line: &str| host.log(line);
        reply::problem(log, dialect, problem, &request_id)
    };
    let finished = |mut reply: Reply| {
        if request.method() == Method::HEAD {
            reply.body_mut().clear();
        }
        reply::set(&mut reply, "x-request-id", &request_id);
        reply
    };
    match route(host, dialect, &request, &segments).await {
        Ok(Routed::Reply(reply)) => Answer::Reply(finished(reply)),
        Ok(Routed::Socket(call)) => Answer::Media {
            call,
            otherwise: finished(refusal(&Problem::NoVoice)),
        },
        Err(problem) => Answer::Reply(finished(refusal(&problem))),
    }
}

/// Answers a request that no handler gets to see, for the host cannot read it or cannot work: in the words of the API
/// whose path it is. `random` makes the id that the answer and the log have in common.
pub fn unhandled(
    path: &str,
    problem: &Problem,
    random: [u8; 16],
    log: impl FnOnce(&str),
) -> http::Response<Vec<u8>> {
    let segments = segments::of(path);
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let request_id = reply::request_id(random);
    let mut reply = reply::problem(log, dialect_of(&segments), problem, &request_id);
    reply::set(&mut reply, "x-request-id", &request_id);
    reply
}

/// Whose words a path speaks, also when there is nothing at it.
fn dialect_of(segments: &[&str]) -> &'static dyn Dialect {
    match segments {
        ["api", "v1", "public", "agent", "test", _, ..] => &Asisso { draft: true },
        ["api", "v1", "public" | "runs" | "workflow", ..] => &Asisso { draft: false },
        ["api", "outbound", ..] => &AlloMia,
        ["calls", ..] => &Burki,
        ["api", "v1", "dialout" | "sip", ..] | ["health", "fleet"] => &Dialout,
        ["ws", ..] | ["internal", "ws", ..] => &Dialout,
        ["api", "v1", "campaigns" | "voicing", ..] | ["internal", "chat"] => &Voicing,
        _ => &Ringdown,
    }
}

async fn route(
    host: &impl Platform,
    dialect: &'static dyn Dialect,
    request: &Request<Vec<u8>>,
    segments: &[&str],
) -> Result<Routed, Problem> {
    let only = |allowed: &'static str| {
        // What can be got can be asked for without its body.
        let method = match request.method() {
            &Method::HEAD => &Method::GET,
            method => method,
        };
        match allowed.split(", ").any(|allowed| method == allowed) {
            true => body::limited(request),
            false => Err(Problem::Method(allowed)),
        }
    };
    let reply = match segments {
        ["api", "v1", "public", "agent", "test", uuid] | ["api", "v1", "public", "agent", uuid] => {
            only("POST")?;
            trigger::trigger(host, dialect, request, uuid).await?
        }
        ["api", "v1", "runs", run] => {
            only("GET")?;
            status::call(host, &Asisso { draft: false }, request, run).await?
        }
        ["api", "v1", "workflow", workflow, "runs", run] => {
            only("GET")?;
            status::run(host, request, workflow, run).await?
        }
        ["api", "v1", "campaigns", "get-call-details"] => {
            only("GET")?;
            campaigns::call_details(host, request, None).await?
        }
        ["api", "v1", "campaigns", "get-call-details", "bulk-by-ids"] => {
            only("POST")?;
            campaigns::by_ids(host, request).await?
        }
        ["api", "v1", "campaigns", "get-call-details", call] => {
            only("GET")?;
            campaigns::call_details(host, request, Some(call)).await?
        }
        ["api", "v1", "dialout"] | ["api", "v1", "sip", "dialout"] => {
            only("POST")?;
            initiate::initiate(host, dialect, request, None).await?
        }
        ["api", "v1", "campaigns", "publish-outbound-call"] => {
            only("POST")?;
            initiate::initiate(host, dialect, request, Some(REST_APIS)).await?
        }
        ["api", "outbound"] => {
            only("POST")?;
            initiate::initiate(host, dialect, request, None).await?
        }
        ["api", "outbound", call, "status"] => {
            only("GET")?;
            status::call(host, &AlloMia, request, call).await?
        }
        ["calls", "initiate"] => {
            only("POST")?;
            initiate::initiate(host, dialect, request, None).await?
        }
        ["v1", "calls"] => {
            only("GET, POST")?;
            match request.method() {
                &Method::POST => initiate::initiate(host, dialect, request, None).await?,
                _ => list::calls(host, request).await?,
            }
        }
        ["v1", "calls", call] => {
            only("GET")?;
            status::call(host, &Ringdown, request, call).await?
        }
        ["v1", "calls", call, "explain"] => {
            only("GET")?;
            status::explain(host, request, call).await?
        }
        ["v1", "calls", call, "events"] => {
            only("GET")?;
            status::part(host, request, call, "timeline").await?
        }
        ["v1", "calls", call, "transcript"] => {
            only("GET")?;
            status::part(host, request, call, "transcript").await?
        }
        ["v1", "calls", call, "hangup"] => {
            only("POST")?;
            status::hang_up(host, request, call).await?
        }
        ["v1", "calls", call, "cancel"] => {
            only("POST")?;
            status::cancel(host, request, call).await?
        }
        ["v1", "calls", call, "deliveries"] => {
            only("GET")?;
            deliveries::of_call(host, request, call).await?
        }
        ["v1", "calls", call, "deliveries", delivery, "resend"] => {
            only("POST")?;
            deliveries::resend_of_call(host, request, call, delivery).await?
        }
        ["v1", "webhooks"] => {
            only("GET, POST")?;
            match request.method() {
                &Method::POST => subscribe::create(host, request).await?,
                _ => webhooks::all(host, request).await?,
            }
        }
        ["v1", "webhooks", "sample"] => {
            only("GET")?;
            webhooks::samples(host, request).await?
        }
        ["v1", "webhooks", webhook] => {
            only("GET, DELETE")?;
            match request.method() {
                &Method::DELETE => webhooks::delete(host, request, webhook).await?,
                _ => webhooks::one(host, request, webhook).await?,
            }
        }
        ["v1", "webhooks", webhook, "rotate"] => {
            only("POST")?;
            webhooks::rotate(host, request, webhook).await?
        }
        ["v1", "webhooks", webhook, "enable"] => {
            only("POST")?;
            webhooks::enable(host, request, webhook).await?
        }
        ["v1", "webhooks", webhook, "deliveries"] => {
            only("GET")?;
            deliveries::of_webhook(host, request, webhook).await?
        }
        ["v1", "webhooks", webhook, "deliveries", "resend"] => {
            only("POST")?;
            deliveries::resend_many(host, request, webhook).await?
        }
        ["v1", "webhooks", webhook, "deliveries", delivery] => {
            only("GET")?;
            deliveries::one(host, request, webhook, delivery).await?
        }
        ["v1", "webhooks", webhook, "deliveries", delivery, "resend"] => {
            only("POST")?;
            deliveries::resend(host, request, webhook, delivery).await?
        }
        ["v1", "suppressions"] => {
            only("GET, POST")?;
            match request.method() {
                &Method::POST => suppressions::create(host, request).await?,
                _ => suppressions::list(host, request).await?,
            }
        }
        ["v1", "suppressions", number] => {
            only("GET, DELETE")?;
            match request.method() {
                &Method::DELETE => suppressions::delete(host, request, number).await?,
                _ => suppressions::one(host, request, number).await?,
            }
        }
        ["v1", "me"] => {
            only("GET")?;
            account::me(host, request).await?
        }
        ["v1", "agents"] => {
            only("GET")?;
            account::agents(host, request).await?
        }
        ["v1", "numbers"] => {
            only("GET")?;
            account::numbers(host, request).await?
        }
        ["v1", "telephony-configurations"] => {
            only("GET")?;
            account::telephony(host, request).await?
        }
        ["v1", "admin", "import"] => {
            only("POST")?;
            admin::import(host, request).await?
        }
        ["v1", "admin", "export"] => {
            only("GET")?;
            admin::export(host, request).await?
        }
        ["health", "live"] => {
            only("GET")?;
            status::live()
        }
        ["health", "ready"] => {
            only("GET")?;
            status::ready(host).await?
        }
        ["health", "fleet"] => {
            only("GET")?;
            status::fleet(host, request).await?
        }
        ["openapi.json"] => {
            only("GET")?;
            openapi::document(request)
        }
        ["twiml", token] => {
            only("POST")?;
            webhook::twiml(host, request, token).await?
        }
        ["twiml", token, "message"] => {
            only("POST")?;
            mailbox::message(host, request, token).await?
        }
        ["twiml", token, "left"] => {
            only("POST")?;
            mailbox::left(host, request, token).await?
        }
        ["callbacks", "status", token] => {
            only("POST")?;
            webhook::status(host, request, token).await?
        }
        ["callbacks", "amd", token] => {
            only("POST")?;
            webhook::answered_by(host, request, token).await?
        }
        ["callbacks", "recording", token] => {
            only("POST")?;
            webhook::recording(host, request, token).await?
        }
        ["media", token] => {
            only("GET")?;
            return voice::media(host, request, token).await;
        }
        ["ws", bot] => {
            only("GET")?;
            return inbound::dialler(host, request, bot).await;
        }
        ["api", "v1", "voicing", "ws", "platform", "api", "chatbot"] => {
            only("GET")?;
            return chat::chatbot(host, request).await;
        }
        ["internal", "ws", bot] => {
            only("POST")?;
            inbound::authorize(host, request, bot).await?
        }
        ["internal", "chat"] => {
            only("POST")?;
            chat::authorize(host, request).await?
        }
        ["internal", "media", token] => {
            only("POST")?;
            voice::authorize_media(host, request, token).await?
        }
        ["internal", "report", token] => {
            only("POST")?;
            voice::report(host, request, token).await?
        }
        ["internal", "tick"] => {
            only("POST")?;
            tick::tick(host, request).await?
        }
        ["internal", "wake", call] => {
            only("POST")?;
            tick::wake(host, request, call).await?
        }
        _ => return Err(Problem::NoRoute),
    };
    Ok(reply.into())
}
