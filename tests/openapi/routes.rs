//! The route table as it is written in the code.

use std::collections::BTreeSet;

const SOURCE: &str = include_str!("../../functions/lib.rs");

/// Every method and path, with `{}` for what varies: `GET /v1/calls/{}`.
pub(crate) fn all() -> BTreeSet<String> {
    let (_, table) = SOURCE
        .split_once(
            "match segments {\n        [\"api\", \"v1\", \"public\", \"agent\", \"test\", uuid]",
        )
        .expect("the table begins with the trigger's addresses");
    let table = format!("[\"api\", \"v1\", \"public\", \"agent\", \"test\", uuid]{table}");
    let (table, _) = table
        .split_once("_ => return Err(Problem::NoRoute)")
        .expect("the table ends with what is no route");
    let table = table.replace("\n        | [", " | [");
    let mut found = BTreeSet::new();
    // Each arm begins on a line of its own, at the table's own depth.
    for arm in table.split("\n        [") {
        let (patterns, handler) = arm.split_once("=>").expect("an arm");
        let methods = handler
            .split_once("only(\"")
            .and_then(|(_, rest)| rest.split_once('"'))
            .map(|(methods, _)| methods)
            .unwrap_or_else(|| panic!("no methods: {arm}"));
        for path in paths(patterns) {
            for method in methods.split(", ") {
                found.insert(format!("{method} {path}"));
            }
        }
    }
    assert!(found.len() > 20, "{found:?}");
    found
}

/// The paths of an arm: `"v1", "calls", call] | ["v1", "x"]`.
fn paths(patterns: &str) -> Vec<String> {
    patterns
        .split('[')
        .filter_map(|pattern| pattern.split_once(']'))
        .map(|(pattern, _)| {
            let segments = pattern
                .split(',')
                .map(str::trim)
                .filter(|segment| !segment.is_empty());
            let segments = segments.map(|segment| match segment.strip_prefix('"') {
                Some(word) => word.trim_end_matches('"'),
                None => "{}",
            });
            format!("/{}", segments.collect::<Vec<_>>().join("/"))
        })
        .collect()
}

/// A described path without the names of its parameters.
pub(crate) fn nameless(path: &str) -> String {
    let segments = path
        .split('/')
        .map(|segment| match segment.starts_with('{') {
            true => "{}",
            false => segment,
        });
    segments.collect::<Vec<_>>().join("/")
}
