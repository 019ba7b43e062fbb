//! Voice containers on a running stack: one a call, gone with it. Runs alone, so that every container seen is its own.
//! `cargo verify` starts the stack and sets `GATEWAY` and `SIMULATOR`.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};
use tests::placed::{AGENT, has, place};

/// Two calls have two containers. One is killed: its call ends with an honest reason, the other goes on.
#[test]
#[ignore = "needs a running stack and a Docker Engine: cargo verify"]
fn a_killed_container_takes_one_call_along() {
    let mine = |id: &str| -> BTreeSet<String> {
        containers()
            .into_iter()
            .filter(|(_, of)| of == id || of.is_empty())
            .map(|(name, _)| name)
            .collect()
    };
    let before: BTreeSet<String> = containers().into_iter().map(|(name, _)| name).collect();
    let doomed = place(AGENT, "+15005550006");
    doomed.wait_until("greeting", 40, |call| has(call, "greeting"));
    let new: BTreeSet<String> = mine(&doomed.id).difference(&before).cloned().collect();
    assert_eq!(new.len(), 1, "one call, one container: {new:?}");
    let spared = place(AGENT, "+15005550006");
    spared.wait_until("greeting", 40, |call| has(call, "greeting"));
    let name = new.into_iter().next().unwrap();
    let killed = Command::new("docker")
        .args(["kill", &name])
        .output()
        .unwrap();
    assert!(
        killed.status.success(),
        "{}",
        String::from_utf8_lossy(&killed.stderr)
    );
    let call = doomed.ends("failed");
    assert_eq!(call["end_reason"], "voice_lost", "{call:#}");
    spared.ends("completed");
    let gone = Instant::now();
    while containers()
        .iter()
        .any(|(container, of)| *of == spared.id || *container == name)
    {
        assert!(
            gone.elapsed() < Duration::from_secs(10),
            "containers are still there: {:?}",
            containers()
        );
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// Names of this host's running voice containers, with the call's id where the launcher labelled them.
fn containers() -> Vec<(String, String)> {
    let workerd = std::env::var("HOST").is_ok_and(|host| host == "worker");
    let format = r#"{{.Names}} {{.Label "ringdown-call"}}"#;
    let listed = Command::new("docker")
        .args(["ps", "--format", format])
        .output()
        .expect("docker runs");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let split = |line: &str| {
        line.split_once(' ')
            .map(|(name, call)| (name.to_owned(), call.trim().to_owned()))
    };
    listed
        .lines()
        .filter_map(split)
        .filter(|(name, call)| match workerd {
            true => name.starts_with("workerd-"),
            false => !call.is_empty(),
        })
        .collect()
}
