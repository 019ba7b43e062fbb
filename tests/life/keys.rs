//! Idempotency keys: what a repeated request costs, when its key is free again, and what it is answered.

use super::doubt::keyed;
use super::{KEY, Placed, TRIGGER};
use calls::voice::EndedBy;
use http::Request;
use serde_json::json;
use tests::driver::Driver;
use tests::memory::Memory;

/// A key that is turned away again and again: each try costs the same, and the thousandth works as the first.
#[test]
fn a_key_that_is_turned_away_is_as_quick_each_time() {
    let memory = Memory::demo();
    let cost = |memory: &Memory| {
        let before = memory.operations.borrow().clone();
        let answer = memory.put_to(keyed("+15005550019", "k"));
        assert_eq!(answer.headers()["x-error-code"], "provider_busy");
        let after = memory.operations.borrow();
        let asked = after.call_requests + after.document_requests;
        asked - before.call_requests - before.document_requests
    };
    let [_, _, third] = [0; 3].map(|_| cost(&memory));
    for _ in 0..1_050 {
        assert!(cost(&memory) <= third);
    }
    assert_eq!(memory.twilio.asked.borrow().len(), 1_053);
    let answer = memory.put_to(keyed("+15005550006", "k"));
    assert_eq!(answer.status(), 200);
    let again = memory.put_to(keyed("+15005550006", "k"));
    assert_eq!(again.headers()["idempotent-replayed"], "true");
}

/// What was turned away left the key free: for another body, too.
#[test]
fn a_corrected_request_may_use_its_key() {
    let memory = Memory::demo();
    assert_eq!(memory.put_to(keyed("+15005550019", "k")).status(), 429);
    assert_eq!(memory.put_to(keyed("+15005550006", "k")).status(), 200);
    let conflict = memory.put_to(keyed("+15005550019", "k"));
    assert_eq!(conflict.headers()["x-error-code"], "idempotency_conflict");
}

/// Whatever became of the call since, whoever repeats the request is answered as at first, byte for byte, in every API.
#[test]
fn a_repeated_request_is_answered_as_at_first() {
    let (assistant, number) = (
        "019addcc-b878-7b10-85f1-49f21342f947",
        "6a1d2c3b-0000-4000-8000-000000000041",
    );
    let to = "+15005550006";
    for (path, body) in [
        (TRIGGER, json!({ "phone_number": to })),
        (
            "/api/v1/dialout",
            json!({ "bot_id": "demo-bot", "to_number": to }),
        ),
        (
            "/calls/initiate",
            json!({ "assistant_id": 123, "to_phone_number": to }),
        ),
        (
            "/api/outbound",
            json!({ "phoneNumber": to, "assistantId": assistant, "phoneNumberId": number }),
        ),
        (
            "/api/v1/campaigns/publish-outbound-call",
            json!({ "assistant_id": assistant, "phone_number": to, "telephony_provider": "default" }),
        ),
        ("/v1/calls", json!({ "agent_id": "reminder", "to": to })),
    ] {
        let request = || {
            let request = Request::post(path).header("authorization", format!("Bearer {KEY}"));
            let request = request.header("idempotency-key", "k");
            request.body(body.to_string().into_bytes()).unwrap()
        };
        let memory = Memory::demo();
        let answer = memory.put_to(request());
        let placed = Placed { memory, answer };
        let again = || {
            let again = placed.memory.put_to(request());
            assert_eq!(again.status(), placed.answer.status(), "{path}");
            assert_eq!(again.headers()["idempotent-replayed"], "true");
            let text = |body: &[u8]| String::from_utf8(body.to_vec()).unwrap();
            assert_eq!(text(again.body()), text(placed.answer.body()), "{path}");
        };
        placed.status("ringing");
        again();
        placed.status("in-progress");
        placed.media_started();
        placed.memory.pass_s(12);
        placed.voice_ended(EndedBy::Contact, "contact_hung_up");
        placed.status("completed");
        placed.pass(5);
        again();
    }
}
