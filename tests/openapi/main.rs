//! `/openapi.json` says what the code does, all of it and nothing else: the route table, every answer of every contract
//! case, and the reverse. What is missing is to be described in `functions/openapi/*.json`.

mod document;
mod exchange;
mod life;
mod problems;
mod promises;
mod routes;

use calls::problem::Problem;
use document::{Document, Operation};
use exchange::Exchange;
use http::{Request, Response};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use tests::driver::Driver;
use tests::memory::Memory;

fn document() -> Document {
    let answer = get(&[]);
    assert_eq!(answer.status(), 200);
    Document::read(answer.body())
}

/// Every exchange of the contract cases, and those that take a Twilio which signs or a store that fails.
static EXCHANGES: LazyLock<Vec<Exchange>> = LazyLock::new(|| {
    let mut all = exchange::of_cases();
    all.extend(life::all(&document()));
    all
});

fn get(headers: &[(&str, &str)]) -> Response<Vec<u8>> {
    let mut request = Request::get("/openapi.json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Memory::default().put_to(request.body(Vec::new()).expect("a request"))
}

#[track_caller]
fn none(wrong: Vec<String>) {
    let what = "functions/openapi/*.json, the code and its cases differ";
    assert!(wrong.is_empty(), "{what}:\n{}", wrong.join("\n"));
}

#[test]
fn it_is_served_without_a_key_and_can_be_kept() {
    let first = get(&[]);
    assert_eq!(first.headers()["content-type"], "application/json");
    assert_eq!(first.headers()["cache-control"], "public, max-age=300");
    let tag = first.headers()["etag"].to_str().expect("text");
    for held in [tag, &format!("W/{tag}"), &format!("\"old\", {tag}"), "*"] {
        let again = get(&[("if-none-match", held)]);
        assert_eq!(again.status(), 304, "{held}");
        assert!(again.body().is_empty());
        assert_eq!(again.headers()["etag"], tag);
    }
    assert_eq!(get(&[("if-none-match", "\"old\"")]).status(), 200);
    let document = document();
    assert_eq!(document.text["openapi"], "3.1.0");
    assert_eq!(
        document.text["info"]["version"],
        env!("CARGO_PKG_VERSION"),
        "the version is the workspace's"
    );
}

/// Each route of the table in the code, with its methods, is a path of the document, and the reverse.
#[test]
fn the_paths_are_the_routes() {
    let document = document();
    let described: BTreeSet<String> = document
        .operations()
        .iter()
        .map(|operation| format!("{} {}", operation.method, routes::nameless(&operation.path)))
        .collect();
    let routed = routes::all();
    let mut wrong: Vec<String> = routed
        .difference(&described)
        .map(|route| format!("{route}: the document does not have it"))
        .collect();
    let gone = described.difference(&routed);
    wrong.extend(gone.map(|route| format!("{route}: the route table does not have it")));
    none(wrong);
}

/// A path asked with another method names exactly those that are described.
#[test]
fn other_methods_are_refused_with_those_described() {
    let document = document();
    let paths: BTreeSet<String> = document
        .operations()
        .into_iter()
        .map(|operation| operation.path)
        .collect();
    for path in paths {
        let request = Request::builder()
            .method("PATCH")
            .uri(path.replace(['{', '}'], "x"));
        let answer = Memory::demo().put_to(request.body(Vec::new()).expect("a request"));
        assert_eq!(answer.status(), 405, "{path}");
        let allowed = answer.headers()["allow"].to_str().expect("text");
        let allowed: BTreeSet<String> = allowed.split(", ").map(str::to_owned).collect();
        assert_eq!(allowed, document.methods(&path), "{path}");
    }
}

#[test]
fn the_codes_are_those_of_the_problems() {
    let document = document();
    let described = &document.text["components"]["headers"]["ErrorCode"]["schema"]["enum"];
    let described: BTreeSet<&str> = described
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(serde_json::Value::as_str)
        .collect();
    let mut codes: BTreeSet<&str> = Problem::one_of_each().iter().map(Problem::code).collect();
    codes.insert("number_not_allowed");
    assert_eq!(described, codes);
}

#[test]
fn every_problem_in_every_dialect_is_shown() {
    none(problems::unshown(&EXCHANGES));
}

/// Every example fits its schema.
#[test]
fn examples_fit() {
    let document = document();
    let mut wrong = Vec::new();
    let mut count = 0;
    for operation in document.operations() {
        let asked = &document.operation(&operation)["requestBody"];
        let statuses = document.statuses(&operation);
        let answers = statuses
            .iter()
            .filter_map(|status| document.response(&operation, *status));
        for body in std::iter::once(asked).chain(answers) {
            let Some((_, media)) = document.media(body) else {
                continue;
            };
            let validator = document.validator(&media["schema"], true);
            let named = media["examples"].as_object().into_iter().flatten();
            let named = named.map(|(_, example)| &example["value"]);
            for example in named.chain(media.get("example")) {
                count += 1;
                if let Err(error) = validator.validate(example) {
                    wrong.push(format!("{operation}: {error} ({})", error.instance_path()));
                }
            }
        }
    }
    none(wrong);
    assert!(count > 20, "only {count} examples");
}

/// Each answer in the contract cases has a status, headers and a body that are described.
#[test]
fn every_answer_is_described() {
    let document = document();
    let mut wrong = Vec::new();
    let mut validators = BTreeMap::new();
    let mut headers = BTreeMap::new();
    for exchange in EXCHANGES.iter() {
        let Some(path) = document.path_of(&exchange.path) else {
            if exchange.status != 404 && exchange.status != 405 {
                wrong.push(format!("{}: {} is no path", exchange.case, exchange.path));
            }
            continue;
        };
        let methods = document.methods(&path);
        let method = match exchange.method.as_str() {
            "HEAD" => "GET",
            method => method,
        };
        if !methods.contains(method) {
            if exchange.status != 405 || !exchange.answer_headers.contains_key("allow") {
                wrong.push(format!("{}: {method} {path} is not refused", exchange.case));
            }
            continue;
        }
        let operation = Operation {
            path,
            method: method.to_owned(),
        };
        let key = (operation.clone(), exchange.status);
        let Some(response) = document.response(&operation, exchange.status) else {
            wrong.push(format!(
                "{operation} is answered {} by {}",
                exchange.status, exchange.case
            ));
            continue;
        };
        for why in headers_differ(&document, &mut headers, response, exchange) {
            wrong.push(format!(
                "{operation} {}: {why}, in {}",
                exchange.status, exchange.case
            ));
        }
        let Some((kind, media)) = document.media(response) else {
            if !exchange.answer.is_empty() && exchange.status != 101 {
                wrong.push(format!("{operation} {}: a body", exchange.status));
            }
            continue;
        };
        let given = exchange.answer_headers.get("content-type");
        if given.map(String::as_str) != Some(kind) {
            wrong.push(format!("{operation} {}: {given:?}", exchange.status));
        }
        if exchange.method == "HEAD" {
            continue;
        }
        let validator = validators
            .entry(key)
            .or_insert_with(|| document.validator(&media["schema"], true));
        let told = match kind.contains("json") && !kind.contains("ndjson") {
            true => exchange.told().expect("JSON"),
            false => String::from_utf8_lossy(&exchange.answer).into(),
        };
        for error in validator.iter_errors(&told) {
            let at = error.instance_path();
            wrong.push(format!(
                "{operation} {}: {error} at {at}, in {}",
                exchange.status, exchange.case
            ));
        }
    }
    // One case tells as much as all of them.
    wrong.sort();
    wrong.dedup_by_key(|why| why.split(", in ").next().map(str::to_owned));
    none(wrong);
    println!("{} answers", EXCHANGES.len());
}

/// What differs between the headers described and those given. HTTP's own are not described.
fn headers_differ(
    document: &Document,
    validators: &mut BTreeMap<String, jsonschema::Validator>,
    response: &serde_json::Value,
    exchange: &Exchange,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let described = document.headers(response);
    if exchange.status == 101 {
        return wrong;
    }
    for (name, header) in &described {
        match exchange.answer_headers.get(name) {
            None if header["required"] == true => wrong.push(format!("no {name}")),
            None => {}
            Some(value) => {
                let validator = validators
                    .entry(name.clone())
                    .or_insert_with(|| document.validator(&header["schema"], false));
                let value = match header["schema"]["type"].as_str() {
                    Some("integer") => serde_json::from_str(value).unwrap_or_default(),
                    _ => value.clone().into(),
                };
                if let Err(error) = validator.validate(&value) {
                    wrong.push(format!("{name}: {error}"));
                }
            }
        }
    }
    let http = [
        "content-type",
        "cache-control",
        "access-control-allow-origin",
    ];
    let known = |name: &String| {
        http.contains(&name.as_str()) || described.iter().any(|(known, _)| known == name)
    };
    let unknown = exchange.answer_headers.keys().filter(|name| !known(name));
    wrong.extend(unknown.map(|name| format!("header {name}")));
    wrong
}

/// Each request that was taken fits what the document asks for.
#[test]
fn every_request_that_is_taken_fits() {
    let document = document();
    let mut wrong = Vec::new();
    let lenient = document::Exceptions::read(include_str!("lenient.txt"));
    let mut validators = BTreeMap::new();
    for exchange in EXCHANGES.iter() {
        if exchange.status >= 300 {
            continue;
        }
        let Some(path) = document.path_of(&exchange.path) else {
            continue;
        };
        let method = exchange.method.replace("HEAD", "GET");
        let operation = Operation { path, method };
        let query = form_urlencoded::parse(exchange.query.as_bytes());
        let asked: BTreeSet<String> = query.map(|(name, _)| name.into_owned()).collect();
        for parameter in document.parameters(&operation, "query") {
            let name = parameter["name"].as_str().expect("a name");
            if parameter["required"] == true && !asked.contains(name) {
                wrong.push(format!("{}: no {name}", exchange.case));
            }
        }
        let Some((kind, media)) = document.media(&document.operation(&operation)["requestBody"])
        else {
            continue;
        };
        if kind != "application/json" {
            continue;
        }
        let sent = exchange.sent().unwrap_or_default();
        let validator = validators
            .entry(operation.to_string())
            .or_insert_with(|| document.validator(&media["schema"], false));
        if let Err(error) = validator.validate(&sent) {
            wrong.push(exchange.case.clone());
            println!("{operation}: {error} at {}", error.instance_path());
        }
    }
    wrong.dedup();
    let (unexcused, idle) = lenient.judge(&wrong);
    none(unexcused);
    none(idle);
}

/// Each status, field, parameter and header that is described is shown by an exchange.
#[test]
fn every_promise_is_shown() {
    let missing = promises::unshown(&document(), &EXCHANGES);
    let missing = missing.into_iter();
    none(
        missing
            .map(|promise| format!("{promise}: no case shows it"))
            .collect(),
    );
}
