//! Every write after a call's end fails in turn, once and for good until the host is back: the agent's CRM, the callback
//! URL of AlloMia's API and the webhooks of both kinds of reports hear of it under one id each, and exactly once if nothing fails.

use super::super::crm::import;
use super::super::{KEY, Placed, answered_in};
use super::{CALLBACK, HOOK, ask, header};
use calls::voice::EndedBy;
use http::{Request, Response};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tests::driver::Driver;
use tests::memory::Memory;

const CRM: &str = "https://crm.example.com/calls";
const ASSISTANT: &str = "019addcc-0000-7000-8000-0000000000c7";
/// Longer than all attempts at an analysis, and those at telling of it, may take together.
const LONG_S: u64 = 1_000;

/// A call in conversation that three receivers want to hear of, and whose analysis fails at first.
fn talking() -> Placed {
    let memory = Memory::demo();
    let agent = json!({
        "type": "agent", "id": "told", "organization": "demo", "owner": "founder", "assistant_id": ASSISTANT,
        "published": { "greeting": "Hello." },
        "post_call_push": { "url": CRM, "headers": { "Authorization": "Bearer push-secret" } },
        "post_call_analysis": { "prompt": "Paid?" },
    });
    import(&memory, &agent);
    let events = json!({ "url": HOOK, "events": ["call.ended", "call.analysis_ready"] });
    assert_eq!(ask(&memory, "POST", "/v1/webhooks", &events).0, 201);
    let down = Response::builder().status(503).body(Vec::new()).unwrap();
    memory.outside.will_answer(Memory::ANALYST, Ok(down));
    for _ in 0..3 {
        let said = json!({ "choices": [{ "message": { "content": r#"{"PAID":true}"# } }] });
        let said = Response::new(said.to_string().into_bytes());
        memory.outside.will_answer(Memory::ANALYST, Ok(said));
    }
    let body = json!({
        "phoneNumber": "+15005550006", "assistantId": ASSISTANT,
        "phoneNumberId": "6a1d2c3b-0000-4000-8000-000000000041", "callbackUrl": CALLBACK,
    });
    let request = Request::post("/api/outbound").header("x-api-key", KEY);
    let answer = memory.put_to(request.body(body.to_string().into_bytes()).unwrap());
    assert_eq!(answer.status(), 200);
    let placed = answered_in(Placed { memory, answer });
    placed.memory.pass_s(12);
    placed.voice_ended(EndedBy::Contact, "contact_hung_up");
    let mut standing = placed.memory.twilio.standing.borrow_mut();
    standing.insert(placed.sid(), "completed".to_owned());
    drop(standing);
    placed
}

/// The ids that each receiver got, with how often each came.
fn told(placed: &Placed) -> BTreeMap<String, BTreeMap<String, usize>> {
    let mut told: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for request in placed.memory.outside.seen.borrow().iter() {
        if request.uri() == Memory::ANALYST {
            continue;
        }
        let ids = told.entry(request.uri().to_string()).or_default();
        *ids.entry(header(request, "webhook-id").to_owned())
            .or_default() += 1;
    }
    told
}

/// What the webhook was told: kind, number, and the analysis in it.
fn kinds(placed: &Placed) -> BTreeSet<(String, u64, bool)> {
    let hooked = placed.to(HOOK);
    let bodies = hooked
        .iter()
        .map(|request| serde_json::from_slice::<Value>(request.body()).unwrap());
    bodies
        .map(|body| {
            let analysed = body["data"]["post_call_analysis"]["PAID"] == true;
            let kind = body["type"].as_str().unwrap().to_owned();
            (kind, body["sequence"].as_u64().unwrap(), analysed)
        })
        .collect()
}

#[test]
fn every_receiver_hears_of_it_once() {
    for once in [true, false] {
        for after in 0.. {
            let placed = talking();
            match once {
                true => placed.memory.fail_once_after(after),
                false => placed.memory.fail_after(after),
            }
            let completed = [("CallStatus", "completed"), ("CallDuration", "12")];
            let _ = placed.callback("StatusCallback", &completed, super::super::TOKEN);
            placed.pass(if once { LONG_S } else { 60 });
            let struck = match once {
                true => placed.memory.failing.get() == 0,
                false => placed.memory.failing.get() < usize::MAX,
            };
            placed.memory.heal();
            // Twilio repeats what was not answered 2xx.
            placed.status("completed");
            placed.pass(LONG_S);
            placed.ends("completed", "contact_hung_up");
            let why = format!("write {after}, once: {once}");
            // The end came before the analysis, which is told of by itself; or with it, where the host was away until then.
            let ended = |analysed| ("call.ended".to_owned(), 1, analysed);
            let ready = ("call.analysis_ready".to_owned(), 2, true);
            let kinds = kinds(&placed);
            let apart = kinds == BTreeSet::from([ended(false), ready]);
            let together = kinds.contains(&ended(true)) && kinds.iter().all(|kind| kind.2);
            assert!(apart || (struck && together), "{why}: {kinds:?}");
            let reports = vec!["delivered"; 2 + kinds.len()];
            assert_eq!(placed.states(), reports, "{why}");
            let told = told(&placed);
            let receivers: Vec<&str> = told.keys().map(String::as_str).collect();
            assert_eq!(receivers, [CRM, CALLBACK, HOOK], "{why}");
            for (url, ids) in &told {
                let most = if url == HOOK { kinds.len() } else { 1 };
                assert_eq!(ids.len(), most, "{why}: {url} heard {ids:?}");
                // What a receiver took and nobody noted is told again, under the same id.
                let most = if struck { 2 } else { 1 };
                let repeated = ids.values().any(|times| *times > most);
                assert!(!repeated, "{why}: {url} heard {ids:?}");
            }
            if !struck {
                assert!(after > 12, "only {after} writes were found");
                break;
            }
        }
    }
}
