//! Rules about the source itself.

use std::fs;
use std::path::{Path, PathBuf};
use tests::case;

/// Above this a file is taken apart.
const LINES: usize = 600;

/// Every file of ours below `folder` whose name ends in one of `endings`, with its path from the root and its text.
fn files(folder: &str, endings: &[&str]) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<PathBuf> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        entries.sort();
        for path in entries {
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                // Not ours, or made by tools.
                if !matches!(name, "target" | "node_modules" | "build") && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let shown = path.strip_prefix(&root).unwrap().display().to_string();
                found.push((shown, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} holds no file");
    found
}

/// Lines that hold one of `words`, comments aside, as `path:line: text`.
fn lines_with(files: &[(String, String)], words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in files {
        for (index, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if words.iter().any(|word| code.contains(word)) {
                found.push(format!("{path}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    found
}

#[track_caller]
fn none(found: Vec<String>, why: &str) {
    assert!(found.is_empty(), "{why}\n{}", found.join("\n"));
}

#[test]
fn shared_code_neither_waits_nor_reads_a_clock() {
    let words = [
        "async fn",
        "async move",
        "async {",
        ".await",
        "SystemTime::now",
        "Instant::now",
        "std::env",
        "std::fs",
        "std::net",
        "std::thread",
    ];
    let mut ours = files("shared", &[".rs"]);
    ours.retain(|(path, _)| !path.contains("/tests/"));
    none(
        lines_with(&ours, &words),
        "shared/ has no I/O, no clock and no async",
    );
}

#[test]
fn platforms_are_named_in_their_hosts_alone() {
    let ours = files("functions", &[".rs", "Cargo.toml"]);
    let (hosts, mut rest): (Vec<_>, Vec<_>) = ours.into_iter().partition(|(path, _)| {
        path.starts_with("functions/worker/") || path.starts_with("functions/spin/")
    });
    assert!(!hosts.is_empty());
    rest.extend(files("shared", &[".rs", "Cargo.toml"]));
    let words = [
        "worker::",
        "wasm_bindgen",
        "wasm-bindgen",
        "spin_sdk",
        "spin-sdk",
        "target_arch",
        "target_family",
        "target_os = \"wasi\"",
    ];
    none(
        lines_with(&rest, &words),
        "only functions/worker and functions/spin know their platform",
    );
}

#[test]
fn files_are_short() {
    let mut long = Vec::new();
    for folder in ["functions", "shared", "tests"] {
        for (path, text) in files(folder, &[".rs"]) {
            let lines = text.lines().count();
            if lines > LINES {
                long.push(format!("{path}: {lines} lines"));
            }
        }
    }
    none(long, "take these apart");
}

#[test]
fn files_say_what_they_hold() {
    let mut silent = Vec::new();
    for folder in ["functions", "shared", "tests"] {
        for (path, text) in files(folder, &[".rs"]) {
            if !text.starts_with("//! ") {
                silent.push(path);
            }
        }
    }
    none(silent, "each file opens with one sentence: //! …");
}

/// The reader fails on a file without a case; here a name that stands twice is found, too.
#[test]
fn cases_have_names_of_their_own() {
    let mut names: Vec<String> = case::all().into_iter().map(|case| case.name).collect();
    names.sort();
    let twice = names.windows(2).filter(|pair| pair[0] == pair[1]);
    none(
        twice.map(|pair| pair[0].clone()).collect(),
        "two cases of one name",
    );
}

#[test]
fn cases_of_the_documents_quote_what_they_prove() {
    const DOCUMENTS: [&str; 5] = ["allomia/", "asisso/", "burki/", "dialout/", "voicing/"];
    let of_a_document =
        |case: &case::Case| DOCUMENTS.iter().any(|folder| case.name.starts_with(folder));
    let cases: Vec<case::Case> = case::all().into_iter().filter(of_a_document).collect();
    assert!(cases.len() > 400, "only {} cases", cases.len());
    let silent = cases.into_iter().filter(|case| {
        let said = |quote: &String| quote.trim_start_matches("Ringdown:").trim().len() > 3;
        !case.quotes.iter().any(said)
    });
    none(
        silent.map(|case| case.name).collect(),
        "cases without a line `> …`",
    );
}

#[test]
fn every_setting_is_explained() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(readme).expect("README.md is there");
    let unexplained = calls::settings::NAMES
        .into_iter()
        .filter(|name| !readme.contains(name));
    none(
        unexplained.map(str::to_owned).collect(),
        "README.md says nothing of these settings",
    );
}
