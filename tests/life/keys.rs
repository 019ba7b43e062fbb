//! Idempotency keys: what a repeated request costs, when its key is free again, and what it is answered.

use super::doubt::keyed;
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
