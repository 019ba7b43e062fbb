//! Puts the API's description together: `openapi/*.json`, one file for each dialect, become one minified document.

use serde_json::{Map, Value};
use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=openapi");
    let mut files: Vec<_> = fs::read_dir("openapi")
        .expect("functions/openapi is there")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    files.sort();
    let mut document = Map::new();
    for file in &files {
        let shown = file.display();
        let text = fs::read_to_string(file).expect("a description is text");
        let part: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{shown}: {error}"));
        let Value::Object(part) = part else {
            panic!("{shown} holds no object");
        };
        merge(&mut document, part, &shown.to_string());
    }
    let out = env::var("OUT_DIR").expect("cargo names a folder");
    let document = Value::Object(document).to_string();
    fs::write(Path::new(&out).join("openapi.json"), document).expect("the folder can be written");
}

/// Adds what `part` says. Two files never say the same thing.
fn merge(document: &mut Map<String, Value>, part: Map<String, Value>, at: &str) {
    for (name, value) in part {
        let here = format!("{at}: {name}");
        match (document.get_mut(&name), value) {
            (None, value) => {
                document.insert(name, value);
            }
            (Some(Value::Object(known)), Value::Object(more)) => merge(known, more, &here),
            (Some(_), _) => panic!("{here} is described twice"),
        }
    }
}
