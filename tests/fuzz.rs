//! schemathesis, from PyPI, asks every operation of `/openapi.json` with what its schemas allow and what they do not:
//! no answer may be outside the description, and none an accident of ours. Settings and checks are in `fuzz`.

use http::Request;
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use tests::driver::{Driver, Http};
use tests::placed::{AGENT, KEY, place};

const CHECKS: &str = "no_accident,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,unsupported_method,allow_header_conformance,ignored_auth";

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn no_answer_is_outside_the_description() {
    let placed = place(AGENT, "+15005550010");
    placed.end();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let program = std::env::var("SCHEMATHESIS").unwrap_or_else(|_| "st".to_owned());
    let gateway = placed.http.gateway.as_str();
    // It keeps what it found where it runs, and would begin with that the next time.
    let host = std::env::var("HOST").unwrap_or_default();
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("schemathesis-{host}"));
    let _ = std::fs::remove_dir_all(&place);
    std::fs::create_dir_all(&place).expect("a folder");
    let ran = Command::new(program)
        .arg("--config-file")
        .arg(folder.join("schemathesis.toml"))
        .arg("run")
        .arg(format!("{gateway}/openapi.json"))
        .args(["--url", gateway])
        .args(["--header", &format!("X-API-Key: {KEY}")])
        .args(["--checks", CHECKS])
        .current_dir(&place)
        .env("PYTHONPATH", &folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SCHEMATHESIS_HOOKS", "checks")
        .env("CALL", &placed.id)
        .output();
    leave_nothing(&placed.http);
    let ran = ran.expect("schemathesis runs");
    let said = String::from_utf8_lossy(&ran.stdout);
    println!("{said}");
    assert!(
        ran.status.success(),
        "{}\n{}",
        failures(&said),
        String::from_utf8_lossy(&ran.stderr)
    );
}

/// What it found, without the counts around it.
fn failures(said: &str) -> &str {
    let from = said.find(" FAILURES ").or_else(|| said.find(" ERRORS "));
    let until = said.rfind(" SUMMARY ").unwrap_or(said.len());
    said.get(from.unwrap_or_default()..until).unwrap_or(said)
}

/// Takes away the webhooks that were made, then ends every call.
fn leave_nothing(http: &Http) {
    let ask = |method: &str, path: &str| {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("x-api-key", KEY).body(Vec::new());
        http.put_to(request.expect("a request"))
    };
    let webhooks = ask("GET", "/v1/webhooks");
    let webhooks: Value = serde_json::from_slice(webhooks.body()).unwrap_or_default();
    for webhook in webhooks["data"].as_array().into_iter().flatten() {
        let id = webhook["id"].as_str().expect("an id");
        ask("DELETE", &format!("/v1/webhooks/{id}"));
    }
    http.calm();
}
