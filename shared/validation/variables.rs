//! What a program tells the agent about one call: named values, nested as JSON is.

use serde_json::{Map, Value};

/// The variables of one call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variables(pub Map<String, Value>);

impl Variables {
    /// The value at a dotted path, lists by index: `user.name`, `items.0.sku`. Null counts as absent.
    pub fn at(&self, path: &str) -> Option<String> {
        let mut parts = path.split('.');
        let mut value = self.0.get(parts.next()?)?;
        for part in parts {
            value = match value {
                Value::Object(object) => object.get(part)?,
                Value::Array(list) => list.get(part.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        show(value)
    }
}

/// A value as it is spoken or sent: text as it is, whole numbers without `.0`, nested values as JSON.
pub fn show(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9.0e15 => {
                format!("{float:.0}")
            }
            _ => number.to_string(),
        }),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => Some(value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn finds_nested_values() {
        let Value::Object(object) = json!({
            "user": {"name": "John", "age": 30.0, "tags": ["a", {"b": true}]}, "none": null, "n": 1.5
        }) else {
            unreachable!()
        };
        let variables = Variables(object);
        for (path, expected) in [
            ("user.name", Some("John")),
            ("user.age", Some("30")),
            ("user.tags.0", Some("a")),
            ("user.tags.1.b", Some("true")),
            ("user.tags.1", Some(r#"{"b":true}"#)),
            ("user.tags.7", None),
            ("user.name.first", None),
            ("none", None),
            ("n", Some("1.5")),
            ("", None),
        ] {
            assert_eq!(variables.at(path).as_deref(), expected, "{path}");
        }
    }
}
