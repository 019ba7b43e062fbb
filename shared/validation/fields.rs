//! Reads the fields of a JSON object and collects every issue, so that a caller learns of all at once.

use crate::{Issue, Rule};
use serde_json::{Map, Value};

/// An object being read. `null` counts as absent everywhere.
pub struct Fields<'a> {
    object: &'a Map<String, Value>,
    issues: Vec<Issue>,
    /// Whether an empty text counts as absent too.
    lenient: bool,
}

impl<'a> Fields<'a> {
    pub fn of(object: &'a Map<String, Value>) -> Fields<'a> {
        Fields {
            object,
            issues: Vec::new(),
            lenient: false,
        }
    }

    /// An empty text counts as absent: no-code tools send one for a field their user left out.
    pub fn lenient(object: &'a Map<String, Value>) -> Fields<'a> {
        Fields {
            lenient: true,
            ..Fields::of(object)
        }
    }

    /// The field's value unless it is absent or null.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        let absent = |value: &&Value| value.is_null() || (self.lenient && **value == "");
        self.object.get(name).filter(|value| !absent(value))
    }

    pub fn refuse(&mut self, name: &str, rule: Rule) {
        self.issues.push(Issue::new(name, rule));
    }

    pub fn text(&mut self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::String(text) => Some(text.clone()),
            _ => {
                self.refuse(name, Rule::NotText);
                None
            }
        }
    }

    /// A text of at most so many characters.
    pub fn text_up_to(&mut self, name: &str, most: usize) -> Option<String> {
        let text = self.text(name)?;
        if text.chars().count() > most {
            self.refuse(name, Rule::Length(0, most));
            return None;
        }
        Some(text)
    }

    /// A text that `read` understands; `what` says what that would be.
    pub fn word<T>(
        &mut self,
        name: &str,
        read: impl Fn(&str) -> Option<T>,
        what: &str,
    ) -> Option<T> {
        let text = self.text(name)?;
        let word = read(&text);
        if word.is_none() {
            self.refuse(name, Rule::Other(format!("must be {what}")));
        }
        word
    }

    /// Empty if missing, which is then an issue.
    pub fn required_text(&mut self, name: &str) -> String {
        if self.get(name).is_none() {
            self.refuse(name, Rule::Missing);
        }
        self.text(name).unwrap_or_default()
    }

    /// A text whose length in characters, as it was sent, lies between `least` and `most`.
    pub fn required_text_of(&mut self, name: &str, least: usize, most: usize) -> String {
        let text = self.required_text(name);
        let is_text = self.get(name).is_some_and(Value::is_string);
        if is_text && !(least..=most).contains(&text.chars().count()) {
            self.refuse(name, Rule::Length(least, most));
        }
        text
    }

    /// A UUID in its usual form of 36 characters.
    pub fn required_uuid(&mut self, name: &str) -> String {
        let text = self.required_text(name);
        let is_text = self.get(name).is_some_and(Value::is_string);
        if is_text && !is_uuid(&text) {
            self.refuse(name, Rule::NotUuid);
        }
        text
    }

    /// An integer, also written as a string of digits, as no-code tools send it.
    pub fn integer(&mut self, name: &str) -> Option<i64> {
        let number = match self.get(name)? {
            Value::Number(number) => number.as_i64().or_else(|| {
                let float = number.as_f64()?;
                (float.fract() == 0.0 && float.abs() < 9.0e15).then_some(float as i64)
            }),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.refuse(name, Rule::NotInteger);
        }
        number
    }

    /// An integer from `least` to `most`; without an upper end where that is the largest there is.
    pub fn integer_within(&mut self, name: &str, least: i64, most: i64) -> Option<i64> {
        let number = self.integer(name)?;
        if !(least..=most).contains(&number) {
            let range = match most {
                i64::MAX => format!("must be at least {least}"),
                most => format!("must be between {least} and {most}"),
            };
            self.refuse(name, Rule::Other(range));
            return None;
        }
        Some(number)
    }

    pub fn required_integer(&mut self, name: &str) -> i64 {
        if self.get(name).is_none() {
            self.refuse(name, Rule::Missing);
        }
        self.integer(name).unwrap_or_default()
    }

    /// A boolean, also written as `"true"` or `"false"`.
    pub fn boolean(&mut self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Value::Bool(value) => Some(*value),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => {
                self.refuse(name, Rule::NotBoolean);
                None
            }
        }
    }

    pub fn object(&mut self, name: &str) -> Option<&'a Map<String, Value>> {
        match self.get(name)? {
            Value::Object(object) => Some(object),
            _ => {
                self.refuse(name, Rule::NotObject);
                None
            }
        }
    }

    pub fn list(&mut self, name: &str) -> Option<&'a Vec<Value>> {
        match self.get(name)? {
            Value::Array(list) => Some(list),
            _ => {
                self.refuse(name, Rule::NotList);
                None
            }
        }
    }

    /// A list of strings.
    pub fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        let list = self.list(name)?;
        let texts: Option<Vec<String>> = list
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect();
        if texts.is_none() {
            self.refuse(name, Rule::Other("must be a list of strings".to_owned()));
        }
        texts
    }

    /// Everything that was wrong, in the order it was found.
    pub fn done(self) -> Result<(), Vec<Issue>> {
        if self.issues.is_empty() {
            Ok(())
        } else {
            Err(self.issues)
        }
    }
}

/// Whether a text is a UUID in its usual form: 32 hex digits in five groups.
pub fn is_uuid(text: &str) -> bool {
    let dash = |index: usize| matches!(index, 8 | 13 | 18 | 23);
    text.len() == 36
        && text
            .bytes()
            .enumerate()
            .all(|(index, byte)| match dash(index) {
                true => byte == b'-',
                false => byte.is_ascii_hexdigit(),
            })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn collects_every_issue() {
        let body = json!({"name": 1, "count": "x", "context": [], "on": "maybe", "gone": null});
        let mut fields = Fields::of(body.as_object().unwrap());
        fields.text("name");
        fields.integer("count");
        fields.object("context");
        fields.boolean("on");
        fields.required_text("gone");
        let issues = fields.done().unwrap_err();
        let rules: Vec<&Rule> = issues.iter().map(|issue| &issue.rule).collect();
        assert_eq!(
            rules,
            [
                &Rule::NotText,
                &Rule::NotInteger,
                &Rule::NotObject,
                &Rule::NotBoolean,
                &Rule::Missing
            ]
        );
    }

    #[test]
    fn checks_lengths_and_uuids() {
        let body = json!({
            "short": "+14155550", "long": "+14155550100", "wide": "é".repeat(20), "no": 5,
            "id": "019addcc-b878-7b10-85f1-49f21342f947", "bare": "019addccb8787b1085f149f21342f947",
        });
        let mut fields = Fields::of(body.as_object().unwrap());
        for name in ["short", "long", "wide", "no"] {
            fields.required_text_of(name, 10, 20);
        }
        fields.required_uuid("id");
        fields.required_uuid("bare");
        let issues = fields.done().unwrap_err();
        let found: Vec<(&str, &Rule)> = issues
            .iter()
            .map(|issue| (issue.field.as_str(), &issue.rule))
            .collect();
        assert_eq!(
            found,
            [
                ("short", &Rule::Length(10, 20)),
                ("no", &Rule::NotText),
                ("bare", &Rule::NotUuid)
            ]
        );
    }

    #[test]
    fn takes_what_no_code_tools_send() {
        let body = json!({"a": "30", "b": "TRUE", "c": 42.0});
        let mut fields = Fields::of(body.as_object().unwrap());
        assert_eq!(fields.integer("a"), Some(30));
        assert_eq!(fields.boolean("b"), Some(true));
        assert_eq!(fields.integer("c"), Some(42));
        assert!(fields.done().is_ok());
    }
}
