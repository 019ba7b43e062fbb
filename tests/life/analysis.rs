//! Post-call analysis: asked for once the call has ended, again while it fails, and never in the call's way.

use super::{KEY, Placed, answered_in, crm::import};
use calls::voice::EndedBy;
use functions::SendError;
use http::{Request, Response};
use serde_json::{Value, json};
use tests::driver::Driver;
use tests::memory::Memory;

/// A call of an agent that wants to know a disposition, answered and ended.
fn ended(answers: Vec<Answered>) -> Placed {
    let placed = placed(answers);
    placed.voice_ended(EndedBy::Contact, "contact_hung_up");
    placed.status("completed");
    placed
}

type Answered = Result<Response<Vec<u8>>, SendError>;

fn placed(answers: Vec<Answered>) -> Placed {
    let memory = Memory::demo();
    let agent = json!({
        "type": "agent", "id": "analysed", "organization": "demo", "owner": "founder", "bot_id": "analysed",
        "name": "Collections", "published": { "greeting": "Hello." },
        "post_call_analysis": {
            "prompt": "Did {{crm.name}} agree to pay {{crm.amount}}? {{gone}}",
            "schema": { "type": "object", "required": ["DISPOSITION"] },
        },
    });
    import(&memory, &agent);
    for answer in answers {
        memory.outside.will_answer(Memory::ANALYST, answer);
    }
    let body = json!({
        "bot_id": "analysed", "to_number": "+15005550006",
        "variables": { "name": "Rahul", "amount": 15000 },
    });
    let request = Request::post("/api/v1/dialout")
        .header("x-api-key", KEY)
        .body(body.to_string().into_bytes());
    let answer = memory.put_to(request.unwrap());
    answered_in(Placed { memory, answer })
}

fn says(content: &str) -> Answered {
    let body = json!({ "choices": [{ "message": { "content": content } }] });
    Ok(Response::new(body.to_string().into_bytes()))
}

fn status(status: u16) -> Answered {
    Ok(Response::builder().status(status).body(Vec::new()).unwrap())
}

fn event(call: &Value, name: &str) -> Option<Value> {
    let timeline = call["timeline"].as_array().unwrap();
    timeline
        .iter()
        .find(|event| event["event"] == name)
        .cloned()
}

fn asked(placed: &Placed) -> usize {
    placed.memory.outside.seen.borrow().len()
}

const PAID: &str = r#"{"DISPOSITION":"PROMISED","amount":15000}"#;

#[test]
fn the_model_answers_the_agents_questions() {
    let placed = ended(vec![says(PAID)]);
    placed.pass(1);
    let call = placed.call();
    assert_eq!(call["post_call_analysis"]["DISPOSITION"], "PROMISED");
    assert!(event(&call, "analysis").is_some(), "{call:#}");
    let seen = placed.memory.outside.seen.borrow();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].uri(), Memory::ANALYST);
    assert_eq!(
        seen[0].headers()["authorization"],
        "Bearer analyst-key-of-the-tests"
    );
    let body: Value = serde_json::from_slice(seen[0].body()).unwrap();
    assert_eq!(body["model"], "model-of-the-tests");
    assert_eq!(
        body["messages"][0]["content"],
        "Did Rahul agree to pay 15000? \n\nAnswer with one JSON object."
    );
    let said = body["messages"][1]["content"].as_str().unwrap();
    assert!(said.contains("bot: Hello"), "{said}");
    assert_eq!(
        body["response_format"]["json_schema"]["schema"]["required"],
        json!(["DISPOSITION"])
    );
}

/// The call has ended and is free before the model is asked, and is asked again while it fails.
#[test]
fn a_failure_is_tried_again() {
    for failure in [
        status(500),
        status(429),
        says("I cannot say."),
        says("{}"),
        Err(SendError::Unclear("timeout".to_owned())),
        Err(SendError::NotSent("refused".to_owned())),
    ] {
        let placed = ended(vec![failure, says(PAID)]);
        placed.ends("completed", "contact_hung_up");
        assert_eq!(asked(&placed), 0, "the end waited for the model");
        placed.pass(1);
        assert_eq!(asked(&placed), 1);
        assert_eq!(placed.call()["post_call_analysis"], Value::Null);
        placed.pass(60);
        assert_eq!(asked(&placed), 2);
        assert_eq!(placed.call()["post_call_analysis"]["amount"], 15000);
        placed.pass(2000);
        assert_eq!(asked(&placed), 2);
    }
}

#[test]
fn what_fails_to_the_last_is_noted() {
    let failing = (0..9).map(|_| status(503)).collect();
    let placed = ended(failing);
    placed.pass(2000);
    assert_eq!(asked(&placed), 4);
    let noted = event(&placed.call(), "analysis_failed").unwrap();
    assert_eq!(noted["detail"], "the model's endpoint answered 503");
    placed.ends("completed", "contact_hung_up");
    // What trying again does not mend is not tried again.
    let placed = ended(vec![status(401), says(PAID)]);
    placed.pass(2000);
    assert_eq!(asked(&placed), 1);
    let noted = event(&placed.call(), "analysis_failed").unwrap();
    assert_eq!(noted["detail"], "the model's endpoint answered 401");
    let logged = placed.memory.logged.borrow().join("\n");
    assert!(
        !logged.contains("5550006") && !logged.contains("Rahul"),
        "{logged}"
    );
}

#[test]
fn without_a_word_there_is_nothing_to_ask() {
    let busy = placed(vec![says(PAID)]);
    busy.memory.outside.seen.borrow_mut().clear();
    busy.status("busy");
    busy.pass(60);
    assert_eq!(asked(&busy), 0);
    assert!(event(&busy.call(), "analysis_failed").is_none());
}

/// The host dies at any step: the model's answer is kept in the end, and it is not asked without end.
#[test]
fn a_host_that_dies_asks_again_later() {
    for working in 0..8 {
        let placed = ended((0..4).map(|_| says(PAID)).collect());
        placed.memory.fail_after(working);
        placed.pass(1);
        placed.memory.heal();
        placed.pass(100);
        let call = placed.call();
        assert_eq!(
            call["post_call_analysis"]["DISPOSITION"], "PROMISED",
            "{call:#}"
        );
        assert!(asked(&placed) <= 2, "asked {} times", asked(&placed));
        placed.holds_nothing();
    }
}

/// Another waker comes while the model thinks: the end is reported once, by whoever asked it, and says what it answered.
#[test]
fn two_wakers_wait_for_the_first_answer() {
    let placed = placed(vec![says(PAID)]);
    let hook = "https://hooks.example/a";
    let body = json!({ "url": hook, "events": ["call.ended", "call.analysis_ready"] });
    let request = Request::post("/v1/webhooks").header("x-api-key", KEY);
    let request = request.body(body.to_string().into_bytes()).unwrap();
    assert_eq!(placed.memory.put_to(request).status(), 201);
    placed.memory.outside.wakes.set(true);
    placed.voice_ended(EndedBy::Contact, "contact_hung_up");
    placed.status("completed");
    placed.pass(100);
    let seen = placed.memory.outside.seen.borrow();
    let told: Vec<Value> = seen
        .iter()
        .filter(|request| request.uri() == hook)
        .map(|request| serde_json::from_slice(request.body()).unwrap())
        .collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0]["type"], "call.ended");
    let analysis = &told[0]["data"]["post_call_analysis"];
    assert_eq!(analysis["DISPOSITION"], "PROMISED", "{:#}", told[0]);
}

/// Nobody was to be told when the call ended. Who subscribes while its analysis is tried again hears of that alone.
#[test]
fn who_subscribes_later_is_told_nothing_old() {
    let placed = ended(vec![status(503), says(PAID)]);
    placed.pass(1);
    let hook = "https://hooks.example/a";
    let body = json!({ "url": hook, "events": ["call.ended", "call.analysis_ready"] });
    let request = Request::post("/v1/webhooks").header("x-api-key", KEY);
    let request = request.body(body.to_string().into_bytes()).unwrap();
    assert_eq!(placed.memory.put_to(request).status(), 201);
    placed.pass(2000);
    let seen = placed.memory.outside.seen.borrow();
    let told: Vec<Value> = seen
        .iter()
        .filter(|request| request.uri() == hook)
        .map(|request| serde_json::from_slice(request.body()).unwrap())
        .collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0]["type"], "call.analysis_ready");
}
