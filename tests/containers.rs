//! Voice containers on a running stack: one a call, gone with it. Runs alone, so that every container seen is its own.
//! `cargo verify` starts the stack and sets `GATEWAY`, `SIMULATOR`, `HOST` and `VOICES`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tests::placed::{AGENT, has, place};
use tests::voices;

/// Two calls have two containers. One is killed: its call ends with an honest reason, the other goes on.
#[test]
#[ignore = "needs a running stack and a Docker Engine: cargo verify"]
fn a_killed_container_takes_one_call_along() {
    let before = voices::running();
    let new = || -> BTreeSet<String> { voices::running().difference(&before).cloned().collect() };
    let doomed = place(AGENT, "+15005550006");
    doomed.wait_until("greeting", 40, |call| has(call, "greeting"));
    let one = new();
    assert_eq!(one.len(), 1, "one call, one container: {one:?}");
    let spared = place(AGENT, "+15005550006");
    spared.wait_until("greeting", 40, |call| has(call, "greeting"));
    assert_eq!(new().len(), 2, "two calls, two containers: {:?}", new());
    voices::kill(one.first().expect("a container"));
    let call = doomed.ends("failed");
    assert_eq!(call["end_reason"], "voice_lost", "{call:#}");
    spared.ends("completed");
    let gone = Instant::now();
    while !new().is_empty() {
        assert!(
            gone.elapsed() < Duration::from_secs(10),
            "containers are still there: {:?}",
            new()
        );
        std::thread::sleep(Duration::from_millis(300));
    }
}
