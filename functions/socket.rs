//! What the sockets of diallers and chats have in common: where they are opened, and how their voice is started.

use crate::ledger;
use crate::reply::{self, Reply};
use crate::{Platform, settle, voice};
use calls::event::Event;
use calls::id::CallId;
use calls::problem::Problem;
use calls::record::Record;
use http::{Method, Request};

/// What a route comes to.
pub(crate) enum Routed {
    Reply(Reply),
    /// The upgrade may be handed to this call's voice.
    Socket(CallId),
}

impl From<Reply> for Routed {
    fn from(reply: Reply) -> Routed {
        Routed::Reply(reply)
    }
}

/// 307 to the same path and query on the launcher, where the host cannot upgrade. With the gateway's own scheme the
/// address names none (RFC 3986, section 4.2), for some clients of WebSockets follow to `ws` alone, and some to `http`.
pub(crate) fn at_launcher(host: &impl Platform, request: &Request<Vec<u8>>) -> Option<Reply> {
    let launcher = host.settings().launcher.as_ref()?;
    let path = request.uri().path_and_query();
    let path = path.map_or_else(|| request.uri().path(), |path| path.as_str());
    let (scheme, there) = launcher.public_url.split_once(':')?;
    let ours = host.settings().public_base_url.split_once(':');
    let location = match ours.is_some_and(|(ours, _)| ours == scheme) {
        true => format!("{there}{path}"),
        false => format!("{scheme}:{there}{path}"),
    };
    let mut reply = reply::empty(307);
    reply::set(&mut reply, "location", &location);
    Some(reply)
}

pub(crate) fn need_upgrade(request: &Request<Vec<u8>>) -> Result<(), Problem> {
    let upgrade = request.headers().get("upgrade");
    let websocket =
        upgrade.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    match websocket && request.method() == Method::GET {
        true => Ok(()),
        false => Err(Problem::UpgradeRequired),
    }
}

/// The value of a name in the query.
pub(crate) fn query(request: &Request<Vec<u8>>, name: &str) -> Option<String> {
    let query = request.uri().query().unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let (_, value) = pairs.find(|(known, _)| known == name)?;
    Some(value.into_owned())
}

/// Starts the voice of a call that came in. One that cannot be started ends the call.
pub(crate) async fn start(
    host: &impl Platform,
    id: CallId,
    record: &Record,
) -> Result<(), Problem> {
    let started = voice::start(host, id, record).await;
    let failed = matches!(started, Event::AudioFailed { .. });
    let arrived = Event::Arrived { at: host.now() };
    let standing = ledger::add(host, id, &[arrived, started]).await?;
    settle::after(host, id, &standing).await?;
    match failed {
        true => Err(Problem::NoVoice),
        false => Ok(()),
    }
}
