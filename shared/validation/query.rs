//! Reads a URL's query as strictly as a body: each name once, UTF-8, no NUL.

use crate::{Issue, Rule};
use serde_json::{Map, Value};

/// The query's names and values, all of them texts. Anything two readers could take differently is an issue.
pub fn read(query: &str) -> Result<Map<String, Value>, Vec<Issue>> {
    let mut read = Map::new();
    let mut issues = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let both = || name.chars().chain(value.chars());
        // What is no UTF-8 is decoded to U+FFFD, which nobody writes on purpose.
        let wrong = if both().any(|c| c == char::REPLACEMENT_CHARACTER) {
            Some("is not valid UTF-8")
        } else if both().any(|c| c == '\0') {
            Some("contains a NUL character")
        } else if read.contains_key(&*name) {
            Some("is given twice")
        } else {
            None
        };
        match wrong {
            Some(why) => issues.push(Issue::new(shown(&name), Rule::Other(why.to_owned()))),
            None => {
                read.insert(name.into_owned(), Value::from(value.into_owned()));
            }
        }
    }
    if issues.is_empty() {
        Ok(read)
    } else {
        Err(issues)
    }
}

/// A name as an error shows it, whatever was sent.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_each_name_once() {
        let read = read("a=1&b=x%20y+z&c=%F0%9F%98%80&d&").unwrap();
        assert_eq!(
            Value::Object(read),
            json!({"a": "1", "b": "x y z", "c": "\u{1f600}", "d": ""})
        );
    }

    #[test]
    fn names_what_is_wrong() {
        let wrong = |query: &str| {
            let issues = read(query).unwrap_err();
            (issues[0].field.clone(), issues[0].rule.text())
        };
        assert_eq!(
            wrong("a=1&a=2"),
            ("a".to_owned(), "is given twice".to_owned())
        );
        assert_eq!(wrong("a=%ff").1, "is not valid UTF-8");
        assert_eq!(wrong("a=%00").1, "contains a NUL character");
        assert_eq!(wrong("%00=1").0, "");
        assert_eq!(wrong(&format!("{}%ff=1", "a".repeat(500))).0.len(), 100);
    }
}
