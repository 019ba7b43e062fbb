//! Somebody asks, in a call, not to be called again.

use super::*;
use calls::voice::OptOut;

/// The answer to the report is what the agent waits for: by then no API calls the number any more.
#[test]
fn an_opt_out_counts_once_it_is_answered() {
    for (by, source) in [(OptOut::Key, "key"), (OptOut::Agent, "agent")] {
        let placed = place("+15005550006");
        let at = placed.now();
        placed.memory.fail_after(0);
        let unheard = placed.report(vec![VoiceEvent::OptedOut { at, by }]);
        assert_eq!(
            unheard.status(),
            500,
            "nothing is confirmed that was not stored"
        );
        placed.memory.heal();
        for _ in 0..2 {
            let answer = placed.report(vec![VoiceEvent::OptedOut { at, by }]);
            assert_eq!(answer.status(), 204);
        }
        let request = Request::get("/v1/suppressions")
            .header("x-api-key", KEY)
            .body(Vec::new())
            .unwrap();
        let list: Value = serde_json::from_slice(placed.memory.put_to(request).body()).unwrap();
        assert_eq!(list["data"].as_array().map(Vec::len), Some(1));
        assert_eq!(list["data"][0]["source"], source);
        assert_eq!(list["data"][0]["call_id"], placed.id().to_string());
        let again = Request::post("/v1/calls")
            .header("x-api-key", KEY)
            .body(br#"{"agent_id":"reminder","to":"+15005550006"}"#.to_vec())
            .unwrap();
        let refused = placed.memory.put_to(again);
        assert_eq!(refused.headers()["x-error-code"], "suppressed");
    }
}
