//! The curl and JavaScript examples of the APIs' documents, run by real curl and node. Beside each stands, behind
//! `# <` or `// <`, what it must print; host, key and ids are variables.

use serde_json::Value;
use std::path::Path;
use std::process::Command;
use tests::case::{Caught, matches, text_matches};
use tests::driver::{Driver, PROXY};
use tests::placed::{AGENT, KEY, place};

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn every_example_works_as_documented() {
    let placed = place(AGENT, "+15005550010");
    let call = placed.end();
    let variables = [
        ("GATEWAY", placed.http.gateway.clone()),
        ("KEY", KEY.to_owned()),
        (
            "TRIGGER",
            AGENT.rsplit('/').next().unwrap_or_default().to_owned(),
        ),
        ("CALL", placed.id.clone()),
        (
            "SID",
            call["provider_sid"].as_str().unwrap_or_default().to_owned(),
        ),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("documents");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("tests/documents is there")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    let mut wrong = Vec::new();
    for file in &files {
        if let Err(why) = works(file, &variables) {
            wrong.push(format!("{}: {why}", file.display()));
        }
        placed.http.calm();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(files.len() >= 13, "only {} examples", files.len());
}

fn works(file: &Path, variables: &[(&str, String)]) -> Result<(), String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let marks = ["# < ", "// < "];
    let expected = text
        .lines()
        .find_map(|line| marks.iter().find_map(|mark| line.strip_prefix(mark)))
        .ok_or("it says not what it prints")?;
    let (program, words): (&str, &[&str]) = match file.extension().and_then(|end| end.to_str()) {
        Some("mjs") => ("node", &[]),
        _ => ("sh", &["-eu"]),
    };
    let run = || {
        let mut program = Command::new(program);
        program.args(words).arg(file);
        program.envs(variables.iter().map(|(name, value)| (*name, value)));
        program.output()
    };
    let mut ran = run().map_err(|error| format!("{program}: {error}"))?;
    let proxys = |said: &Vec<u8>| String::from_utf8_lossy(said).contains(PROXY);
    if proxys(&ran.stdout) || proxys(&ran.stderr) {
        ran = run().map_err(|error| format!("{program}: {error}"))?;
    }
    let said = String::from_utf8_lossy(&ran.stdout);
    if !ran.status.success() {
        return Err(format!("{said}{}", String::from_utf8_lossy(&ran.stderr)));
    }
    let mut caught = Caught::new();
    match serde_json::from_str::<Value>(expected) {
        Ok(expected) => {
            let given = serde_json::from_str(&said).map_err(|_| format!("no JSON: {said}"))?;
            matches(&expected, &given, &mut caught, "answer")
        }
        // Node breaks lines where they get long.
        Err(_) => {
            let given = said.split_whitespace().collect::<Vec<_>>().join(" ");
            match text_matches(expected, &given, &mut caught) {
                true => Ok(()),
                false => Err(format!("expected {expected}, got {given}")),
            }
        }
    }
}
