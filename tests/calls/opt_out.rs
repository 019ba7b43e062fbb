//! Somebody presses the key not to be called again, in a call on a running stack: through Twilio's media socket to the
//! voice, and from the voice to the gateway.

use calls::time::Time;
use http::Request;
use serde_json::{Value, json};
use tests::driver::{Driver, Http};
use tests::placed::{KEY, create, has};

/// Called by this test alone, and taken off the list again.
const NUMBER: &str = "+15005557799";
const CONFIRMED: &str = "You will hear nothing more from us.";

fn ask(http: &Http, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("x-api-key", KEY)
        .body(body.to_string().into_bytes());
    let answer = http.put_to(request.unwrap());
    let said = serde_json::from_slice(answer.body()).unwrap_or_default();
    (answer.status().as_u16(), said)
}

fn import_agent(http: &Http) {
    let agent = json!({
        "type": "agent", "id": "opting-out", "organization": "demo", "owner": "tests",
        "published": {
            "greeting": "Hello, press nine and we never call again.", "keys": { "9": "opt_out" },
            "opted_out": CONFIRMED, "call_s": 30,
        },
    });
    let request = Request::post("/v1/admin/import")
        .header("authorization", "Bearer rd_admin_demo_6b1f0c8d2e4a5937")
        .body(agent.to_string().into_bytes());
    assert_eq!(http.put_to(request.unwrap()).status(), 200);
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn the_number_is_on_the_list_before_that_is_said() {
    let http = Http::from_env();
    let listed = format!("/v1/suppressions/{NUMBER}");
    ask(&http, "DELETE", &listed, &Value::Null);
    import_agent(&http);
    let wanted = json!({ "agent_id": "opting-out", "to": NUMBER });
    let placed = create(&wanted);
    placed.wait_until("greeting", 40, |call| has(call, "greeting"));
    let sid = placed.call()["provider_sid"].as_str().unwrap().to_owned();
    placed
        .http
        .steer(&sid, &json!({ "action": "dtmf", "digit": "9" }));
    let call = placed.ends("completed");
    assert_eq!(call["end_reason"], "opted_out", "{call:#}");

    let (status, entry) = ask(&http, "GET", &listed, &Value::Null);
    assert_eq!(status, 200, "{entry}");
    assert_eq!(
        (&entry["source"], &entry["call_id"]),
        (&json!("key"), &json!(placed.id))
    );
    let transcript = call["transcript"].as_array().unwrap();
    let confirmed = transcript.iter().find(|line| line["text"] == CONFIRMED);
    let confirmed = confirmed.unwrap_or_else(|| panic!("it was not confirmed: {call:#}"));
    let time = |at: &Value| Time::parse_rfc3339(at.as_str().unwrap()).unwrap();
    let (on_list, said) = (time(&entry["created_at"]), time(&confirmed["at"]));
    assert!(on_list <= said, "listed at {on_list:?}, said at {said:?}");

    // Nobody calls it any more, whichever API is asked.
    let (status, refused) = ask(&http, "POST", "/v1/calls", &wanted);
    assert_eq!((status, &refused["code"]), (403, &json!("suppressed")));
    let dialled = json!({ "bot_id": "demo-bot", "to_number": NUMBER });
    assert_eq!(ask(&http, "POST", "/api/v1/dialout", &dialled).0, 403);
    assert_eq!(placed.dialled(), 1);
    assert_eq!(ask(&http, "DELETE", &listed, &Value::Null).0, 204);
}
