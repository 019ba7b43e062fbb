//! Two organizations that share an account at Twilio and the number they call from: neither is given the other's call.

use super::{ACCOUNT, KEY, TOKEN, trigger};
use calls::secret::Secret;
use calls::twilio::signature;
use http::{Request, Response};
use serde_json::{Value, json};
use tests::driver::Driver;
use tests::memory::Memory;

const TWIN_KEY: &str = "rd_test_twin_rest_0123456789abcdef";
const TWIN_TRIGGER: &str = "/api/v1/public/agent/0a0a0a0a-0000-4000-8000-000000000001";

/// The demo organization, and another that dials with its account and its number.
fn twins() -> Memory {
    let memory = Memory::demo();
    let lines = [
        json!({"type": "organization", "id": "twin", "country": "US", "default_telephony_configuration": 1,
            "calling_window": null, "attempts_per_day": null}),
        json!({"type": "telephony_configuration", "id": 1, "organization": "twin", "account_sid": ACCOUNT, "auth_token": TOKEN}),
        json!({"type": "number", "id": "6a1d2c3b-0000-4000-8000-000000000099", "organization": "twin",
            "number": "+15005550100", "telephony_configuration": 1}),
        json!({"type": "agent", "id": "twin-agent", "organization": "twin", "owner": "tests",
            "trigger": "0a0a0a0a-0000-4000-8000-000000000001", "published": {"greeting": "Hello."}}),
        json!({"type": "key", "organization": "twin", "key": TWIN_KEY}),
    ];
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let request = Request::post("/v1/admin/import")
        .header("authorization", format!("Bearer {}", Memory::ADMIN_TOKEN))
        .body(lines.into_bytes())
        .unwrap();
    assert_eq!(memory.put_to(request).status(), 200);
    memory.config.catch_up();
    memory
}

fn twins_trigger(to: &str) -> Request<Vec<u8>> {
    Request::post(TWIN_TRIGGER)
        .header("x-api-key", TWIN_KEY)
        .body(format!(r#"{{"phone_number":"{to}"}}"#).into_bytes())
        .unwrap()
}

/// Places a call and returns its id.
#[track_caller]
fn placed(memory: &Memory, request: Request<Vec<u8>>) -> String {
    let answer = memory.put_to(request);
    assert_eq!(answer.status(), 200);
    answer.headers()["x-call-id"].to_str().unwrap().to_owned()
}

fn read(memory: &Memory, key: &str, id: &str) -> Value {
    let request = Request::get(format!("/v1/calls/{id}"))
        .header("x-api-key", key)
        .body(Vec::new())
        .unwrap();
    serde_json::from_slice(memory.put_to(request).body()).unwrap()
}

/// Twilio tells of its call number `number` at the address the call was placed with.
fn told(memory: &Memory, number: usize, word: &str) -> Response<Vec<u8>> {
    let (sid, form) = memory.twilio.placed.borrow()[number].clone();
    let url = form["StatusCallback"].split('#').next().unwrap().to_owned();
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("AccountSid", ACCOUNT)
        .append_pair("CallSid", &sid)
        .append_pair("CallStatus", word)
        .finish()
        .into_bytes();
    let signed = signature::sign(&Secret::new(TOKEN), &url, &body);
    let request = Request::post(url.strip_prefix("https://gw.example").unwrap())
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-twilio-signature", signed)
        .body(body)
        .unwrap();
    memory.put_to(request)
}

fn pass(memory: &Memory, seconds: u64) {
    for _ in 0..seconds {
        memory.pass_s(1);
        memory.wake_due();
    }
}

/// Twilio never saw the demo organization's call, but it rings the same number for the other organization.
#[test]
fn an_unclear_dial_is_not_given_anothers_call() {
    let memory = twins();
    let lost = placed(&memory, trigger("+15005550018"));
    memory.twilio.placed.borrow_mut().clear();
    memory.pass_s(1);
    let rings = placed(&memory, twins_trigger("+15005550006"));
    pass(&memory, 60);
    let call = read(&memory, KEY, &lost);
    assert_eq!(
        (&call["outcome"], &call["provider_sid"]),
        (&json!("lost"), &Value::Null)
    );
    let sid = memory.twilio.placed.borrow()[0].0.clone();
    assert_eq!(
        read(&memory, TWIN_KEY, &rings)["provider_sid"],
        sid.as_str()
    );
    // By its SID it is read by whose it is.
    assert_eq!(read(&memory, TWIN_KEY, &sid)["id"], rings.as_str());
    assert_eq!(read(&memory, KEY, &sid)["code"], "call_not_found");
}

/// Both dials were unclear, and one call rings: it is not given to both.
#[test]
fn two_organizations_share_no_sid() {
    let memory = twins();
    let ours = placed(&memory, trigger("+15005550018"));
    let theirs = placed(&memory, twins_trigger("+15005550018"));
    memory.twilio.placed.borrow_mut().remove(1);
    pass(&memory, 120);
    let sids = [read(&memory, KEY, &ours), read(&memory, TWIN_KEY, &theirs)]
        .map(|call| call["provider_sid"].clone());
    let sid = json!(memory.twilio.placed.borrow()[0].0);
    assert_eq!(
        sids.iter().filter(|found| **found == sid).count(),
        1,
        "{sids:?}"
    );
}

/// Both dials were unclear, and Twilio tells the other organization of the one that rings.
#[test]
fn a_callback_says_whose_call_it_is() {
    let memory = twins();
    let ours = placed(&memory, trigger("+15005550018"));
    let theirs = placed(&memory, twins_trigger("+15005550018"));
    memory.twilio.placed.borrow_mut().remove(0);
    assert_eq!(told(&memory, 0, "ringing").status(), 204);
    pass(&memory, 60);
    let call = read(&memory, KEY, &ours);
    assert_eq!(
        (&call["outcome"], &call["provider_sid"]),
        (&json!("lost"), &Value::Null)
    );
    let sid = json!(memory.twilio.placed.borrow()[0].0);
    assert_eq!(read(&memory, TWIN_KEY, &theirs)["provider_sid"], sid);
}

/// A call was found before its callback came to another: it is that one's from then on, and nobody else hangs it up.
#[test]
fn what_twilio_tells_outweighs_what_was_found() {
    let memory = twins();
    let ours = placed(&memory, trigger("+15005550018"));
    memory.pass_s(1);
    let theirs = placed(&memory, twins_trigger("+15005550018"));
    memory.twilio.placed.borrow_mut().remove(0);
    let sid = json!(memory.twilio.placed.borrow()[0].0);
    while read(&memory, KEY, &ours)["provider_sid"] != sid {
        pass(&memory, 1);
        assert!(read(&memory, TWIN_KEY, &theirs)["provider_sid"].is_null());
    }
    assert_eq!(told(&memory, 0, "in-progress").status(), 204);
    let standing = &memory.twilio.standing;
    standing
        .borrow_mut()
        .insert(sid.as_str().unwrap().to_owned(), "in-progress".to_owned());
    pass(&memory, 120);
    let call = read(&memory, KEY, &ours);
    assert_eq!(call["outcome"], "lost", "{call:#}");
    assert_eq!(
        call["end_reason"],
        "the call it was taken for is another one"
    );
    assert!(memory.twilio.hung_up.borrow().is_empty());
    assert_eq!(
        read(&memory, TWIN_KEY, sid.as_str().unwrap())["id"],
        theirs.as_str()
    );
}
