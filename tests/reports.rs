//! Reports of calls on a running stack, received by the simulator's inbox and checked with the library their receivers use.
//! `cargo verify` starts the stack and sets `GATEWAY` and `SIMULATOR`.

use calls::time::Time;
use http::Request;
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tests::driver::{Driver, Http};

const DEMO: &str = "rd_test_demo_rest_4f1c2a9e7b3d5860";
const OTHER: &str = "rd_test_other_rest_8877665544332211";

/// A customer's server at the simulator, of a name no other test has.
struct Inbox<'a> {
    http: &'a Http,
    url: String,
}

impl<'a> Inbox<'a> {
    fn new(http: &'a Http, what: &str) -> Inbox<'a> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let url = format!("{}/_sim/inbox/{what}-{}", http.simulator, now.as_nanos());
        Inbox { http, url }
    }

    /// Has it answer this, and 200 after that.
    fn will_answer(&self, answer: &Value) {
        let request = Request::put(format!("{}/answer", self.url))
            .header("content-type", "application/json")
            .body(answer.to_string().into_bytes());
        assert_eq!(self.http.fetch(request.unwrap()).status(), 204);
    }

    /// What came about one call.
    fn about(&self, call: &str) -> Vec<Value> {
        let path = self.url.strip_prefix(&self.http.simulator).unwrap();
        let all = self.http.simulated(&format!("{path}/requests"));
        let about = |request: &&Value| {
            let body: Value = serde_json::from_str(request["body"].as_str().unwrap()).unwrap();
            body["data"]["id"] == call
        };
        all.as_array()
            .unwrap()
            .iter()
            .filter(about)
            .cloned()
            .collect()
    }

    #[track_caller]
    fn wait_for(&self, call: &str, count: usize) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let came = self.about(call);
            if came.len() >= count {
                assert_eq!(came.len(), count, "{came:#?}");
                return came;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(50),
                "{} of {count} reports came",
                came.len()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

fn ask(http: &Http, key: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("x-api-key", key)
        .header("content-type", "application/json");
    let answer = http.put_to(request.body(body.to_string().into_bytes()).unwrap());
    let shown = serde_json::from_slice(answer.body()).unwrap_or_default();
    (answer.status().as_u16(), shown)
}

/// Places a call that finds the line busy.
fn place(http: &Http, key: &str, callback: Option<&Inbox>) -> String {
    let agent = if key == OTHER {
        "other-agent"
    } else {
        "reminder"
    };
    let body = json!({
        "agent_id": agent, "to": "+15005550010", "callback_url": callback.map(|inbox| inbox.url.as_str()),
    });
    let (status, shown) = ask(http, key, "POST", "/v1/calls", &body);
    assert_eq!(status, 201, "{shown}");
    shown["id"].as_str().unwrap().to_owned()
}

/// Subscribes the inbox: the webhook's path and secret.
fn subscribe(http: &Http, key: &str, inbox: &Inbox) -> (String, String) {
    let body = json!({ "url": inbox.url, "events": ["call.ended"] });
    let (status, shown) = ask(http, key, "POST", "/v1/webhooks", &body);
    assert_eq!(status, 201, "{shown}");
    let text = |name: &str| shown[name].as_str().unwrap().to_owned();
    (format!("/v1/webhooks/{}", text("id")), text("secret"))
}

fn deliveries(http: &Http, key: &str, call: &str) -> Vec<Value> {
    let path = format!("/v1/calls/{call}/deliveries");
    let (_, shown) = ask(http, key, "GET", &path, &Value::Null);
    shown["data"].as_array().unwrap().clone()
}

/// Waits until the call's only delivery stands as expected.
#[track_caller]
fn becomes(http: &Http, key: &str, call: &str, state: &str) -> Value {
    let begun = Instant::now();
    loop {
        let delivery = deliveries(http, key, call).pop().unwrap_or_default();
        if delivery["status"] == state {
            return delivery;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(50),
            "not {state}: {delivery:#}"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Has the library of Standard Webhooks check what was received, each with its secret.
fn verify(received: &[(&Value, &str)]) {
    let mut node = Command::new("node")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/check-reports.mjs"))
        .stdin(Stdio::piped())
        .spawn()
        .expect("node runs");
    let mut lines = node.stdin.take().unwrap();
    for (request, secret) in received {
        let line =
            json!({ "secret": secret, "headers": request["headers"], "body": request["body"] });
        writeln!(lines, "{line}").unwrap();
    }
    drop(lines);
    assert!(node.wait().unwrap().success());
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn a_report_arrives_once_and_verifies() {
    let http = &Http::from_env();
    let (inbox, callback) = (Inbox::new(http, "hook"), Inbox::new(http, "callback"));
    let (webhook, old) = subscribe(http, DEMO, &inbox);
    let call = place(http, DEMO, Some(&callback));
    let first = inbox.wait_for(&call, 1).remove(0);
    let plain = callback.wait_for(&call, 1).remove(0);
    assert!(plain["headers"].get("webhook-signature").is_none());
    assert_eq!(plain["body"], first["body"]);
    let mut body: Value = serde_json::from_str(first["body"].as_str().unwrap()).unwrap();
    let (_, mut shown) = ask(
        http,
        DEMO,
        "GET",
        &format!("/v1/calls/{call}"),
        &Value::Null,
    );
    // What was told after the report was composed, such as the voice's own end, only adds to the timeline.
    let (told, known) = (body["data"]["timeline"].take(), shown["timeline"].take());
    let (told, known) = (told.as_array().unwrap(), known.as_array().unwrap());
    assert!(told.iter().all(|event| known.contains(event)), "{told:?}");
    assert!(told.iter().any(|event| event["event"] == "ended"));
    assert_eq!(
        (&body["data"], &body["type"]),
        (&shown, &json!("call.ended"))
    );

    let (_, rotated) = ask(
        http,
        DEMO,
        "POST",
        &format!("{webhook}/rotate"),
        &Value::Null,
    );
    let new = rotated["secret"].as_str().unwrap();
    let next = place(http, DEMO, None);
    let second = inbox.wait_for(&next, 1).remove(0);
    verify(&[(&first, &old), (&second, &old), (&second, new)]);

    becomes(http, DEMO, &next, "delivered");
    let (_, listed) = ask(
        http,
        DEMO,
        "GET",
        &format!("{webhook}/deliveries"),
        &Value::Null,
    );
    let listed = listed["data"].as_array().unwrap();
    for call in [&call, &next] {
        let of_call = listed
            .iter()
            .filter(|delivery| delivery["call_id"] == **call);
        assert_eq!(of_call.count(), 1, "{listed:#?}");
    }
    // Nothing comes twice.
    std::thread::sleep(Duration::from_secs(7));
    assert_eq!(
        (inbox.about(&call).len(), callback.about(&call).len()),
        (1, 1)
    );
    assert_eq!(ask(http, DEMO, "DELETE", &webhook, &Value::Null).0, 204);
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn a_receiver_in_trouble_hears_again() {
    let http = &Http::from_env();
    let inbox = Inbox::new(http, "trouble");
    inbox.will_answer(&json!({ "status": 500, "body": "not now", "times": 1 }));
    let call = place(http, DEMO, Some(&inbox));
    let came = inbox.wait_for(&call, 2);
    let header = |index: usize, name: &str| came[index]["headers"][name].clone();
    assert_eq!(header(0, "webhook-id"), header(1, "webhook-id"));
    assert_eq!(came[0]["body"], came[1]["body"]);
    let at = |index: usize| came[index]["at_ms"].as_u64().unwrap();
    assert!(at(1) - at(0) >= 5_000, "{} ms", at(1) - at(0));
    let delivery = becomes(http, DEMO, &call, "delivered");
    assert_eq!(delivery["attempts"][0]["status_code"], 500);
    assert_eq!(delivery["attempts"][0]["answer"], "not now");
}

/// Its answer is larger than what is read of one: its status counts all the same.
#[test]
#[ignore = "needs a running stack: cargo verify"]
fn a_receiver_that_says_much_has_heard() {
    let http = &Http::from_env();
    let inbox = Inbox::new(http, "wordy");
    inbox.will_answer(&json!({ "body": "x".repeat(1_500_000) }));
    let call = place(http, DEMO, Some(&inbox));
    let delivery = becomes(http, DEMO, &call, "delivered");
    assert_eq!(delivery["attempts"].as_array().unwrap().len(), 1);
    assert_eq!(delivery["attempts"][0]["status_code"], 200);
    assert_eq!(inbox.about(&call).len(), 1);
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn a_slow_receiver_hears_again() {
    let http = &Http::from_env();
    let inbox = Inbox::new(http, "slow");
    inbox.will_answer(&json!({ "delay_ms": 13_000, "times": 1 }));
    let call = place(http, DEMO, Some(&inbox));
    let came = inbox.wait_for(&call, 2);
    let id = |index: usize| came[index]["headers"]["webhook-id"].clone();
    assert_eq!(id(0), id(1));
    let delivery = becomes(http, DEMO, &call, "delivered");
    assert_eq!(delivery["attempts"][0]["error"], "no answer");
}

/// While an endpoint keeps reports of one organization waiting, a call of another is dialled within its few seconds.
#[test]
#[ignore = "needs a running stack: cargo verify"]
fn a_receiver_that_hangs_holds_up_no_other_organization() {
    let http = &Http::from_env();
    let inbox = Inbox::new(http, "hangs");
    inbox.will_answer(&json!({ "delay_ms": 13_000, "times": 1 }));
    let reported = place(http, DEMO, Some(&inbox));
    inbox.wait_for(&reported, 1);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = Time(u64::try_from(now.as_millis()).unwrap());
    let body = json!({
        "agent_id": "other-agent", "to": "+15005550010",
        "earliest_at": now.plus_s(2).rfc3339(), "latest_at": now.plus_s(8).rfc3339(),
    });
    let (status, shown) = ask(http, OTHER, "POST", "/v1/calls", &body);
    assert_eq!(status, 201, "{shown}");
    let path = format!("/v1/calls/{}", shown["id"].as_str().unwrap());
    let begun = Instant::now();
    let call = loop {
        let (_, call) = ask(http, OTHER, "GET", &path, &Value::Null);
        if call["status"] == "ended" {
            break call;
        }
        assert!(begun.elapsed() < Duration::from_secs(40), "{call:#}");
        std::thread::sleep(Duration::from_millis(200));
    };
    assert_eq!(call["outcome"], "busy", "{call:#}");
    becomes(http, DEMO, &reported, "delivered");
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn a_redirect_is_not_followed_and_the_dead_letter_sent_again() {
    let http = &Http::from_env();
    let (inbox, elsewhere) = (Inbox::new(http, "moved"), Inbox::new(http, "elsewhere"));
    inbox.will_answer(
        &json!({ "status": 307, "headers": { "location": elsewhere.url }, "times": 1 }),
    );
    let call = place(http, DEMO, Some(&inbox));
    let delivery = becomes(http, DEMO, &call, "dead");
    assert_eq!(delivery["attempts"][0]["status_code"], 307);
    let id = delivery["id"].as_str().unwrap();
    let path = format!("/v1/calls/{call}/deliveries/{id}/resend");
    assert_eq!(ask(http, DEMO, "POST", &path, &Value::Null).0, 202);
    becomes(http, DEMO, &call, "delivered");
    let came = inbox.wait_for(&call, 2);
    assert_eq!(
        came[0]["headers"]["webhook-id"],
        came[1]["headers"]["webhook-id"]
    );
    assert_eq!(came[0]["body"], came[1]["body"]);
    assert!(elsewhere.about(&call).is_empty());
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn gone_disables_a_webhook_until_it_is_enabled() {
    let http = &Http::from_env();
    let inbox = Inbox::new(http, "gone");
    inbox.will_answer(&json!({ "status": 410, "times": 1 }));
    let (webhook, secret) = subscribe(http, OTHER, &inbox);
    let call = place(http, OTHER, None);
    let delivery = becomes(http, OTHER, &call, "dead");
    let (_, shown) = ask(http, OTHER, "GET", &webhook, &Value::Null);
    assert_eq!(shown["status"], "disabled");
    let resend = format!(
        "{webhook}/deliveries/{}/resend",
        delivery["id"].as_str().unwrap()
    );
    assert_eq!(ask(http, OTHER, "POST", &resend, &Value::Null).0, 422);
    let enable = format!("{webhook}/enable");
    assert_eq!(ask(http, OTHER, "POST", &enable, &Value::Null).0, 200);
    assert_eq!(ask(http, OTHER, "POST", &resend, &Value::Null).0, 202);
    let came = inbox.wait_for(&call, 2);
    verify(&[(&came[1], &secret)]);
    assert_eq!(ask(http, OTHER, "DELETE", &webhook, &Value::Null).0, 204);
}
