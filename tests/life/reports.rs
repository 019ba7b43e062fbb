//! Reports out: that each arrives once whatever fails, is tried again on schedule, and stays visible when it is dead.

mod allomia;
mod crash;
mod cuts;
mod stop;
mod subscribe;
mod webhooks;

use super::{KEY, Placed};
use calls::report::signature;
use calls::secret::Secret;
use calls::time::Time;
use functions::SendError;
use http::{Request, Response};
use serde_json::{Value, json};
use std::task::{Context, Waker};
use tests::driver::Driver;
use tests::memory::Memory;

const HOOK: &str = "https://hooks.example/a";
const CALLBACK: &str = "https://crm.example/done";

fn ask(memory: &Memory, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("x-api-key", KEY)
        .body(body.to_string().into_bytes())
        .unwrap();
    let answer = memory.put_to(request);
    let shown = serde_json::from_slice(answer.body()).unwrap_or_default();
    (answer.status().as_u16(), shown)
}

/// Subscribes `url` and returns the webhook's id and secret.
fn subscribe(memory: &Memory, url: &str) -> (String, Secret) {
    let asked = json!({ "url": url, "events": ["call.ended"] });
    let (status, shown) = ask(memory, "POST", "/v1/webhooks", &asked);
    assert_eq!(status, 201, "{shown}");
    let text = |name: &str| shown[name].as_str().unwrap().to_owned();
    (text("id"), Secret::new(text("secret")))
}

fn answers(memory: &Memory, url: &str, statuses: &[u16]) {
    for status in statuses {
        memory.outside.will_answer(url, Ok(answer(*status, &[])));
    }
}

fn answer(status: u16, headers: &[(&str, &str)]) -> Response<Vec<u8>> {
    let mut answer = Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    answer.body(b"what it says".to_vec()).unwrap()
}

/// A call of our own API that is told to report to `callback_url`.
fn place(memory: Memory, callback_url: Option<&str>) -> Placed {
    let body =
        json!({ "agent_id": "reminder", "to": "+15005550010", "callback_url": callback_url });
    let request = Request::post("/v1/calls").header("x-api-key", KEY);
    let answer = memory.put_to(request.body(body.to_string().into_bytes()).unwrap());
    assert_eq!(answer.status(), 201);
    Placed { memory, answer }
}

impl Placed {
    fn deliveries(&self) -> Vec<Value> {
        let path = format!("/v1/calls/{}/deliveries", self.id());
        let (status, shown) = ask(&self.memory, "GET", &path, &Value::Null);
        assert_eq!(status, 200);
        shown["data"].as_array().unwrap().clone()
    }

    fn states(&self) -> Vec<String> {
        let state = |delivery: &Value| delivery["status"].as_str().unwrap().to_owned();
        self.deliveries().iter().map(state).collect()
    }

    fn to(&self, url: &str) -> Vec<Request<Vec<u8>>> {
        let seen = self.memory.outside.seen.borrow();
        seen.iter()
            .filter(|request| request.uri() == url)
            .cloned()
            .collect()
    }

    /// Ends it as busy and lets what follows happen.
    fn be_busy(&self) {
        self.status("busy");
        self.pass(1);
    }
}

fn header<'a>(request: &'a Request<Vec<u8>>, name: &str) -> &'a str {
    request.headers()[name].to_str().unwrap()
}

/// Whether one of the request's signatures was made with this secret.
fn signed_with(request: &Request<Vec<u8>>, secret: &Secret) -> bool {
    let at = Time(header(request, "webhook-timestamp").parse::<u64>().unwrap() * 1000);
    let body = std::str::from_utf8(request.body()).unwrap();
    let secrets = std::slice::from_ref(secret);
    let expected = signature::headers(header(request, "webhook-id"), at, body, secrets);
    let given = header(request, "webhook-signature");
    given.split(' ').any(|one| one == expected[2].1)
}

#[test]
fn a_report_arrives_once_and_says_what_the_call_shows() {
    let memory = Memory::demo();
    let (webhook, secret) = subscribe(&memory, HOOK);
    let placed = place(memory, Some(CALLBACK));
    placed.be_busy();
    placed.pass(100);
    let (hook, callback) = (placed.to(HOOK), placed.to(CALLBACK));
    assert_eq!((hook.len(), callback.len()), (1, 1));
    assert!(signed_with(&hook[0], &secret));
    assert_eq!(header(&hook[0], "content-type"), "application/json");
    // Nobody asked for a secret of callback URLs.
    assert!(!callback[0].headers().contains_key("webhook-signature"));
    assert_ne!(
        header(&hook[0], "webhook-id"),
        header(&callback[0], "webhook-id")
    );
    assert_eq!(hook[0].body(), callback[0].body());
    let body: Value = serde_json::from_slice(hook[0].body()).unwrap();
    assert_eq!(body["type"], "call.ended");
    assert_eq!(body["sequence"], 1);
    assert_eq!(body["data"], placed.call());
    assert_eq!(body["data"]["outcome"], "busy");
    assert_eq!(placed.states(), ["delivered", "delivered"]);
    let attempt = &placed.deliveries()[0]["attempts"][0];
    assert_eq!(attempt["status_code"], 200);
    let path = format!("/v1/webhooks/{webhook}/deliveries");
    let (_, listed) = ask(&placed.memory, "GET", &path, &Value::Null);
    assert_eq!(listed["data"], json!([placed.deliveries()[0]]));
    let (_, one) = ask(
        &placed.memory,
        "GET",
        &format!("{path}/{}", header(&hook[0], "webhook-id")),
        &Value::Null,
    );
    assert_eq!(one["body"].as_str().unwrap().as_bytes(), hook[0].body());
}

#[test]
fn nobody_is_told_where_nobody_asked() {
    let placed = place(Memory::demo(), None);
    placed.be_busy();
    placed.pass(100);
    assert!(placed.memory.outside.seen.borrow().is_empty());
    assert!(placed.deliveries().is_empty());
    assert!(placed.memory.wakes.borrow().is_empty());
}

/// More receivers than are told at once, and one that takes long: the others are told meanwhile, and that is kept.
#[test]
fn a_slow_receiver_holds_up_no_other() {
    let memory = Memory::demo();
    let url = |number: usize| format!("https://hooks.example/{number}");
    for number in 0..9 {
        subscribe(&memory, &url(number));
    }
    let placed = place(memory, Some(CALLBACK));
    placed.status("busy");
    placed.memory.outside.hanging.borrow_mut().insert(url(1));
    let mut waking = Box::pin(functions::wake(&placed.memory, placed.id()));
    let mut context = Context::from_waker(Waker::noop());
    assert!(waking.as_mut().poll(&mut context).is_pending());
    let states = placed.states();
    let delivered = states.iter().filter(|state| *state == "delivered");
    assert_eq!((delivered.count(), states[1].as_str()), (9, "pending"));
    // The host dies with it: nobody else is told again.
    drop(waking);
    placed.memory.outside.hanging.borrow_mut().clear();
    placed.pass(60);
    assert_eq!(placed.states(), ["delivered"; 10]);
    let told: Vec<usize> = (0..9).map(|number| placed.to(&url(number)).len()).collect();
    assert_eq!(told, [1, 2, 1, 1, 1, 1, 1, 1, 1]);
}

#[test]
fn a_receiver_that_fails_is_tried_on_schedule_with_the_same_bytes() {
    let memory = Memory::demo();
    subscribe(&memory, HOOK);
    memory
        .outside
        .will_answer(HOOK, Err(SendError::Unclear("timeout".to_owned())));
    memory
        .outside
        .will_answer(HOOK, Err(SendError::NotSent("refused".to_owned())));
    answers(&memory, HOOK, &[500, 503, 429, 408, 425, 200]);
    let placed = place(memory, None);
    placed.be_busy();
    let begun = placed.now();
    assert_eq!(placed.states(), ["pending"]);
    for _ in 0..40 {
        placed.memory.pass_s(3_600);
        placed.memory.wake_due();
    }
    let sent = placed.to(HOOK);
    assert_eq!(sent.len(), 8);
    for attempt in &sent {
        assert_eq!(attempt.body(), sent[0].body());
        assert_eq!(
            header(attempt, "webhook-id"),
            header(&sent[0], "webhook-id")
        );
    }
    assert_ne!(
        header(&sent[0], "webhook-timestamp"),
        header(&sent[7], "webhook-timestamp")
    );
    assert_eq!(placed.states(), ["delivered"]);
    let delivery = &placed.deliveries()[0];
    assert_eq!(delivery["attempts"][0]["error"], "no answer");
    assert_eq!(delivery["attempts"][2]["status_code"], 500);
    assert_eq!(delivery["attempts"][2]["answer"], "what it says");
    assert!(placed.now() > begun.plus_s(100_000));
}

#[test]
fn the_first_pauses_are_short() {
    let memory = Memory::demo();
    subscribe(&memory, HOOK);
    answers(&memory, HOOK, &[500, 500, 200]);
    let placed = place(memory, None);
    placed.be_busy();
    placed.pass(4);
    assert_eq!(placed.to(HOOK).len(), 1);
    placed.pass(3);
    assert_eq!(placed.to(HOOK).len(), 2);
    placed.pass(295);
    assert_eq!(placed.to(HOOK).len(), 2);
    placed.pass(40);
    assert_eq!(placed.to(HOOK).len(), 3);
}

#[test]
fn a_receiver_may_ask_for_more_time() {
    let memory = Memory::demo();
    subscribe(&memory, HOOK);
    let busy = answer(429, &[("retry-after", "600")]);
    memory.outside.will_answer(HOOK, Ok(busy));
    let placed = place(memory, None);
    placed.be_busy();
    placed.pass(595);
    assert_eq!(placed.to(HOOK).len(), 1);
    placed.pass(10);
    assert_eq!(placed.to(HOOK).len(), 2);
}

#[test]
fn what_is_refused_is_dead_at_once_and_can_be_sent_again() {
    for status in [301, 302, 307, 400, 401, 404, 422] {
        let memory = Memory::demo();
        subscribe(&memory, HOOK);
        memory.outside.will_answer(
            HOOK,
            Ok(answer(status, &[("location", "https://evil.example/")])),
        );
        let placed = place(memory, None);
        placed.be_busy();
        placed.pass(1_000);
        assert_eq!(placed.states(), ["dead"], "{status}");
        assert_eq!(placed.memory.outside.seen.borrow().len(), 1, "{status}");
        assert!(placed.memory.wakes.borrow().is_empty());
        let id = placed.deliveries()[0]["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/calls/{}/deliveries/{id}/resend", placed.id());
        let (status, shown) = ask(&placed.memory, "POST", &path, &Value::Null);
        assert_eq!((status, &shown["status"]), (202, &json!("pending")));
        placed.pass(1);
        assert_eq!(placed.states(), ["delivered"]);
        let sent = placed.to(HOOK);
        assert_eq!(
            header(&sent[0], "webhook-id"),
            header(&sent[1], "webhook-id")
        );
        assert_eq!(sent[0].body(), sent[1].body());
        assert_eq!(
            placed.deliveries()[0]["attempts"].as_array().unwrap().len(),
            2
        );
    }
}

#[test]
fn where_a_report_may_go_is_asked_again_each_time() {
    let mut memory = Memory::demo();
    memory.allow_origins(&["http://10.0.0.7:8080"]);
    let url = "http://10.0.0.7:8080/x";
    answers(&memory, url, &[500]);
    let mut placed = place(memory, Some(url));
    placed.be_busy();
    assert_eq!(placed.to(url).len(), 1);
    placed.memory.allow_origins(&[]);
    placed.pass(60);
    assert_eq!(placed.to(url).len(), 1);
    assert_eq!(placed.states(), ["dead"]);
    let error = placed.deliveries()[0]["attempts"][1]["error"].clone();
    assert_eq!(error, "the URL must be an https URL");
}

/// What is logged names no URL and says nothing of the answer.
#[test]
fn the_log_keeps_receivers_to_itself() {
    let memory = Memory::demo();
    subscribe(&memory, HOOK);
    answers(&memory, HOOK, &[400]);
    let placed = place(memory, Some(CALLBACK));
    placed.be_busy();
    let logged = placed.memory.logged.borrow().join("\n");
    assert!(
        logged.contains("a report could not be delivered"),
        "{logged}"
    );
    for private in ["hooks.example", "crm.example", "what it says", "+1500"] {
        assert!(!logged.contains(private), "{logged}");
    }
}
