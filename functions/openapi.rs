//! `GET /openapi.json`: the description of every API here, for people and the tools they generate clients with.
//! It is kept in `openapi/*.json`, one file for each dialect; `tests/openapi` holds it against the code, both ways.

use crate::reply::{self, Reply};
use calls::secret;
use http::Request;

/// All of it, in one document of the OpenAPI Specification 3.1.
const DOCUMENT: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

/// Needs no key: it says nothing that differs from one organization to another.
pub(crate) fn document(request: &Request<Vec<u8>>) -> Reply {
    let tag = format!("\"{}\"", &secret::sha256_hex(DOCUMENT.as_bytes())[..32]);
    let mut reply = if known(request, &tag) {
        reply::empty(304)
    } else {
        reply::with_type(200, "application/json", DOCUMENT.to_owned())
    };
    reply::set(&mut reply, "etag", &tag);
    reply::set(&mut reply, "cache-control", "public, max-age=300");
    // Viewers on other sites may show it.
    reply::set(&mut reply, "access-control-allow-origin", "*");
    reply
}

/// Whether the caller has this very version (RFC 9110, 13.1.2). Proxies mark a tag as weak when they compress.
fn known(request: &Request<Vec<u8>>, tag: &str) -> bool {
    let held = request.headers().get_all("if-none-match").iter();
    held.filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|held| held == "*" || held.strip_prefix("W/").unwrap_or(held) == tag)
}
