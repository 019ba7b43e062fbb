//! The voices that run on this machine: containers, or processes where there is no engine (`VOICES` says which).

use std::collections::BTreeSet;
use std::process::Command;

/// Names of containers, or ids of processes, of the gateway under test alone: another host's may run beside.
pub fn running() -> BTreeSet<String> {
    if !in_containers() {
        let gateway = std::env::var("GATEWAY").unwrap_or_default();
        return of_launcher(&gateway).into_iter().collect();
    }
    let mut docker = Command::new("docker");
    docker.args(["ps", "--format", r#"{{.Names}} {{.Label "ringdown-call"}}"#]);
    let listed = docker
        .output()
        .unwrap_or_else(|error| panic!("docker: {error}"));
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let spin = std::env::var("HOST").is_ok_and(|host| host == "spin");
    // The launcher labels its containers; what workerd starts has its name alone, and the line ends with the blank.
    let voice = |line: &str| {
        let (name, of) = line.split_once(' ')?;
        let ours = if spin {
            !of.is_empty()
        } else {
            name.starts_with("workerd-")
        };
        ours.then(|| name.to_owned())
    };
    listed.lines().filter_map(voice).collect()
}

/// Ids of the processes that the launcher of this gateway started.
pub fn of_launcher(gateway: &str) -> Vec<String> {
    let mut ps = Command::new("ps");
    ps.args(["-A", "-ww", "-o", "pid=,ppid=,args="]);
    let listed = ps.output().unwrap_or_else(|error| panic!("ps: {error}"));
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let all: Vec<Vec<&str>> = listed
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let is = |process: &[&str], name: &str| {
        let program = process.get(2).unwrap_or(&"");
        program.rsplit('/').next() == Some(name)
    };
    let launcher = all
        .iter()
        .find(|process| is(process, "launcher") && process.contains(&gateway));
    let launcher = launcher.map(|process| process[0]);
    all.iter()
        .filter(|process| is(process, "voice") && process.get(1).copied() == launcher)
        .map(|process| process[0].to_owned())
        .collect()
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
