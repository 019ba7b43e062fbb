//! Reads a request body as the JSON object every API here takes.

pub(crate) mod strict;

use crate::BODY_LIMIT;
use calls::dialect::Dialect;
use calls::problem::Problem;
use http::Request;
use serde_json::error::Category;
use serde_json::{Map, Value};

/// The body as an object. No body counts as an empty object, so that what is missing is named.
pub(crate) fn object(
    dialect: &dyn Dialect,
    request: &Request<Vec<u8>>,
) -> Result<Map<String, Value>, Problem> {
    let text = text(request)?;
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    let mut body = json(text)?;
    if dialect.takes_wrapped()
        && let Value::Array(list) = &mut body
        && let [one @ Value::Object(_)] = list.as_mut_slice()
    {
        body = one.take();
    }
    match body {
        Value::Object(object) => Ok(object),
        _ => Err(Problem::Malformed(
            "The request body must be a JSON object".to_owned(),
        )),
    }
}

fn json(text: &str) -> Result<Value, Problem> {
    strict::parse(text).map_err(|error| {
        let what = match error.classify() {
            Category::Data => error.to_string(),
            Category::Io | Category::Syntax | Category::Eof => "is not valid JSON".to_owned(),
        };
        // serde_json puts the position behind its own words; it helps and shows nothing of what was sent.
        let what = what.split(" at line ").next().unwrap_or_default();
        let (line, column) = (error.line(), error.column());
        Problem::Malformed(format!(
            "The request body {what} (line {line}, column {column})"
        ))
    })
}

/// The body as text of at most 256 KB with one JSON object a line.
pub(crate) fn lines(request: &Request<Vec<u8>>) -> Result<&str, Problem> {
    text(request).map_err(|problem| match problem {
        Problem::MediaType(_) => {
            Problem::MediaType("NDJSON, one JSON object a line, in UTF-8 (application/x-ndjson)")
        }
        problem => problem,
    })
}

/// The body as text of at most 256 KB. A missing content type is taken for JSON.
fn text(request: &Request<Vec<u8>>) -> Result<&str, Problem> {
    limited(request)?;
    if let Some(content_type) = request.headers().get("content-type") {
        let content_type = content_type.to_str().unwrap_or("?").to_ascii_lowercase();
        let (media, parameters) = content_type.split_once(';').unwrap_or((&content_type, ""));
        let media = media.trim();
        let json = matches!(
            media,
            "" | "application/json" | "text/json" | "text/plain" | "application/x-ndjson"
        ) || media.ends_with("+json");
        let charset = parameters
            .split(';')
            .find_map(|parameter| parameter.trim().strip_prefix("charset="));
        let utf8 = charset
            .is_none_or(|name| matches!(name.trim_matches('"'), "utf-8" | "utf8" | "us-ascii"));
        if !json || !utf8 {
            return Err(Problem::MediaType("JSON in UTF-8 (application/json)"));
        }
    }
    let body = request
        .body()
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(request.body());
    std::str::from_utf8(body)
        .map_err(|_| Problem::Malformed("The request body is not valid UTF-8".to_owned()))
}

/// Refuses a body the host stopped reading.
pub(crate) fn limited(request: &Request<Vec<u8>>) -> Result<(), Problem> {
    if request.body().len() > BODY_LIMIT {
        return Err(Problem::TooLarge);
    }
    Ok(())
}
