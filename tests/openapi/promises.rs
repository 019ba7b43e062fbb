//! What the document promises and no exchange shows.

use crate::document::{Document, Operation};
use crate::exchange::Exchange;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Each as `POST /v1/calls 502`, `Call field answered_at`, `POST /v1/calls asks for Idempotency-Key`, `header etag`.
pub(crate) fn unshown(document: &Document, exchanges: &[Exchange]) -> Vec<String> {
    let mut promised = BTreeSet::new();
    for operation in document.operations() {
        for status in document.statuses(&operation) {
            promised.insert(format!("{operation} {status}"));
            let Some(response) = document.response(&operation, status) else {
                continue;
            };
            let headers = document.headers(response).into_iter();
            promised.extend(headers.map(|(name, _)| format!("header {name}")));
            if let Some((_, media)) = document.media(response) {
                let owner = format!("{operation} {status}");
                promised.extend(document.fields(&media["schema"], &owner, None));
            }
        }
        if let Some((_, media)) = asked(document, &operation) {
            promised.extend(document.fields(&media["schema"], &operation.to_string(), None));
        }
        promised.extend(parameters(document, &operation).map(|name| asks(&operation, name)));
    }
    let shown = shown(document, exchanges);
    promised.difference(&shown).cloned().collect()
}

fn shown(document: &Document, exchanges: &[Exchange]) -> BTreeSet<String> {
    let mut shown = BTreeSet::new();
    for exchange in exchanges {
        let Some(path) = document.path_of(&exchange.path) else {
            continue;
        };
        let operation = Operation {
            path,
            method: exchange.method.clone(),
        };
        if !document.operations().contains(&operation) {
            continue;
        }
        let owner = format!("{operation} {}", exchange.status);
        let response = document.response(&operation, exchange.status);
        let media = response.and_then(|response| document.media(response));
        if let (Some((_, media)), Some(told)) = (media, exchange.told()) {
            shown.extend(document.fields(&media["schema"], &owner, Some(&told)));
        }
        shown.insert(owner);
        if let Some((_, media)) = asked(document, &operation) {
            let sent = exchange.sent().unwrap_or_else(|| form(&exchange.body));
            let name = operation.to_string();
            shown.extend(document.fields(&media["schema"], &name, Some(&sent)));
        }
        let given = given(exchange);
        let parameters = parameters(document, &operation);
        let parameters = parameters.filter(|name| given.contains(&name.to_ascii_lowercase()));
        shown.extend(parameters.map(|name| asks(&operation, name)));
        let headers = exchange.answer_headers.keys();
        shown.extend(headers.map(|name| format!("header {name}")));
    }
    shown
}

fn asks(operation: &Operation, parameter: &str) -> String {
    format!("{operation} asks for {parameter}")
}

/// What is sent with a request, as the document has it.
fn asked<'a>(document: &'a Document, operation: &Operation) -> Option<(&'a str, &'a Value)> {
    document.media(&document.operation(operation)["requestBody"])
}

/// The names of an operation's parameters in query and headers.
fn parameters<'a>(
    document: &'a Document,
    operation: &'a Operation,
) -> impl Iterator<Item = &'a str> {
    let places = ["query", "header"].into_iter();
    places
        .flat_map(|place| document.parameters(operation, place))
        .map(|parameter| parameter["name"].as_str().expect("a name"))
}

/// The names in an exchange's query and headers.
fn given(exchange: &Exchange) -> BTreeSet<String> {
    let query = form_urlencoded::parse(exchange.query.as_bytes());
    let names = query.map(|(name, _)| name.to_ascii_lowercase());
    let headers = exchange.headers.keys();
    names
        .chain(headers.map(|name| name.as_str().to_owned()))
        .collect()
}

fn form(body: &[u8]) -> Value {
    let fields: BTreeMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
    json!(fields)
}
