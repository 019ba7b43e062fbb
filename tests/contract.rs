//! Every contract case, in-process. Each has the demo organization to itself.

use http::Request;
use std::collections::BTreeSet;
use tests::case;
use tests::driver::{Driver, run};
use tests::memory::Memory;

#[test]
fn every_case() {
    all_hold_on(Memory::prompt);
}

/// On a store that shows configuration as late as Workers KV does, and everything else at once.
#[test]
fn every_case_where_configuration_is_late() {
    all_hold_on(Memory::demo);
}

fn all_hold_on(memory: fn() -> Memory) {
    let cases = case::all();
    let mut failed = Vec::new();
    for case in &cases {
        if let Err(why) = run(&memory(), case) {
            failed.push(format!("{}\n    {why}", case.name));
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {} cases failed:\n{}",
        failed.len(),
        cases.len(),
        failed.join("\n")
    );
    println!("{} cases", cases.len());
}

/// A refused request leaves nothing behind: no call, no seat, no configuration.
#[test]
fn bad_input_changes_nothing() {
    for case in case::all() {
        for step in case
            .steps
            .iter()
            .take(1)
            .filter(|step| (400..500).contains(&step.status) && step.dialled == 0)
        {
            let memory = Memory::demo();
            let config = memory.config.stored.borrow().clone();
            let mut request = http::Request::builder()
                .method(step.method.as_str())
                .uri(&step.path);
            for (name, value) in &step.headers {
                request = request.header(name, value);
            }
            memory.put_to(request.body(step.body.clone()).expect("a request"));
            let seats: BTreeSet<_> = memory
                .seats
                .borrow()
                .values()
                .flat_map(|seats| {
                    seats
                        .leases
                        .iter()
                        .map(|lease| lease.call.clone())
                        .collect::<Vec<_>>()
                })
                .collect();
            assert!(
                memory.calls.borrow().is_empty(),
                "{}: a call was stored",
                case.name
            );
            assert!(seats.is_empty(), "{}: a seat was taken", case.name);
            assert_eq!(*memory.config.stored.borrow(), config, "{}", case.name);
        }
    }
}

/// What an export shows of a secret is sealed or hashed, and imported elsewhere it makes the same deployment.
#[test]
fn an_export_keeps_secrets_and_everything_else() {
    let first = Memory::demo();
    let exported = exported(&first);
    for line in include_str!("demo.ndjson").lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        for secret in [&line["key"], &line["auth_token"]] {
            let secret = secret.as_str().unwrap_or("-");
            assert!(
                secret == "-" || !exported.contains(secret),
                "the export shows {secret}"
            );
        }
    }
    let second = Memory::default();
    let request = Request::post("/v1/admin/import")
        .header("authorization", format!("Bearer {}", Memory::ADMIN_TOKEN))
        .body(exported.clone().into_bytes());
    let answer = second.put_to(request.expect("a request"));
    assert_eq!(answer.status(), 200);
    assert_eq!(
        *second.config.stored.borrow(),
        *first.config.stored.borrow()
    );
}

fn exported(memory: &Memory) -> String {
    let request = Request::get("/v1/admin/export")
        .header("authorization", format!("Bearer {}", Memory::ADMIN_TOKEN))
        .body(Vec::new());
    let answer = memory.put_to(request.expect("a request"));
    assert_eq!(answer.status(), 200);
    String::from_utf8(answer.into_body()).expect("text")
}

/// `GET /media/{token}` with a good token: an ordinary request is told to upgrade, or sent to the launcher by a host
/// that cannot.
#[test]
fn the_media_path_wants_an_upgrade() {
    for launcher in [false, true] {
        let memory = Memory::new(launcher);
        memory.import_demo();
        let placed = Request::post("/api/v1/public/agent/5f0c3a52-6d1e-4c7b-9a38-2b7e41d0c9aa")
            .header("x-api-key", "rd_test_demo_rest_4f1c2a9e7b3d5860")
            .body(br#"{"phone_number":"+15005550006"}"#.to_vec());
        memory.put_to(placed.expect("a request"));
        let url = memory.twilio.placed.borrow()[0].1["Url"].clone();
        let (url, _) = url.split_once('#').expect("a fragment");
        let path = url.replace("https://gw.example/twiml/", "/media/");
        let answer = memory.put_to(Request::get(&path).body(Vec::new()).expect("a request"));
        match launcher {
            false => assert_eq!(answer.status(), 426),
            true => {
                assert_eq!(answer.status(), 307);
                let location = format!("//launcher.example{path}");
                assert_eq!(answer.headers()["location"], location.as_str());
            }
        }
    }
}
