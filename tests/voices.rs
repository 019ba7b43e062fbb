//! The voices that run on this machine: containers, or processes where there is no engine (`VOICES` says which).

use std::collections::BTreeSet;
use std::process::Command;

/// Names of containers, or ids of processes.
pub fn running() -> BTreeSet<String> {
    let (program, arguments) = match in_containers() {
        true => (
            "docker",
            ["ps", "--format", r#"{{.Names}} {{.Label "ringdown-call"}}"#],
        ),
        false => ("ps", ["-A", "-o", "comm=,pid="]),
    };
    let listed = Command::new(program).args(arguments).output();
    let listed = listed.unwrap_or_else(|error| panic!("{program}: {error}"));
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    // A container of a host that labels none ends its line with the blank.
    let voice = |line: &str| {
        let (name, of) = line.trim_start().split_once(' ')?;
        match in_containers() {
            true => (name.starts_with("workerd-") || !of.is_empty()).then(|| name.to_owned()),
            false => (name == "voice").then(|| of.trim().to_owned()),
        }
    };
    listed.lines().filter_map(voice).collect()
}

pub fn kill(voice: &str) {
    let mut command = match in_containers() {
        true => Command::new("docker"),
        false => Command::new("kill"),
    };
    match in_containers() {
        true => command.args(["kill", voice]),
        false => command.args(["-s", "KILL", voice]),
    };
    let killed = command.output().expect("it runs");
    assert!(
        killed.status.success(),
        "{}",
        String::from_utf8_lossy(&killed.stderr)
    );
}

fn in_containers() -> bool {
    std::env::var("VOICES").is_ok_and(|voices| voices == "containers")
}
