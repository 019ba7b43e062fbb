//! The document as the tests ask it: its operations, and every field, status and header that it promises.

use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The OpenAPI document.
pub(crate) struct Document {
    pub(crate) text: Value,
    /// The same with every described object closed: a field without a description is an error.
    closed: Value,
}

/// One method of one path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Operation {
    pub(crate) path: String,
    /// In capitals.
    pub(crate) method: String,
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

impl Document {
    pub(crate) fn read(text: &[u8]) -> Document {
        let text: Value = serde_json::from_slice(text).expect("the document is JSON");
        let mut closed = text.clone();
        close(&mut closed);
        Document { text, closed }
    }

    pub(crate) fn operations(&self) -> Vec<Operation> {
        let mut found = Vec::new();
        for (path, item) in object(&self.text["paths"]) {
            for method in object(item).keys() {
                found.push(Operation {
                    path: path.clone(),
                    method: method.to_ascii_uppercase(),
                });
            }
        }
        found
    }

    /// The described path that a request's path is one of. A path spelled out goes before one with parameters.
    pub(crate) fn path_of(&self, path: &str) -> Option<String> {
        let described = object(&self.text["paths"]).keys();
        let fitting = described.filter(|described| fits(described, path));
        fitting
            .min_by_key(|described| described.matches('{').count())
            .cloned()
    }

    /// The methods a path takes.
    pub(crate) fn methods(&self, path: &str) -> BTreeSet<String> {
        let operations = self.operations().into_iter();
        operations
            .filter(|operation| operation.path == path)
            .map(|operation| operation.method)
            .collect()
    }

    pub(crate) fn operation(&self, operation: &Operation) -> &Value {
        &self.text["paths"][&operation.path][operation.method.to_ascii_lowercase()]
    }

    /// What stands behind `$ref`s; what stands beside one counts for itself.
    pub(crate) fn resolved<'a>(&'a self, mut value: &'a Value) -> &'a Value {
        while let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            value = self.behind(reference);
        }
        value
    }

    fn behind(&self, reference: &str) -> &Value {
        let pointer = reference.trim_start_matches('#');
        let found = self.text.pointer(pointer);
        found.unwrap_or_else(|| panic!("{reference} leads nowhere"))
    }

    pub(crate) fn statuses(&self, operation: &Operation) -> Vec<u16> {
        let statuses = object(&self.operation(operation)["responses"]).keys();
        statuses
            .map(|status| status.parse().expect("a status"))
            .collect()
    }

    pub(crate) fn response(&self, operation: &Operation, status: u16) -> Option<&Value> {
        let response = self.operation(operation)["responses"].get(status.to_string())?;
        Some(self.resolved(response))
    }

    /// Names and descriptions of the headers of a response.
    pub(crate) fn headers(&self, response: &Value) -> Vec<(String, Value)> {
        let headers = response.get("headers").map(object);
        headers
            .into_iter()
            .flatten()
            .map(|(name, header)| (name.clone(), self.resolved(header).clone()))
            .collect()
    }

    pub(crate) fn parameters(&self, operation: &Operation, place: &str) -> Vec<&Value> {
        let parameters = self.operation(operation)["parameters"].as_array();
        let parameters = parameters.into_iter().flatten();
        parameters
            .map(|parameter| self.resolved(parameter))
            .filter(|parameter| parameter["in"] == place)
            .collect()
    }

    /// The one media type of a body, with its schema; `None` where there is no body.
    pub(crate) fn media<'a>(&'a self, body: &'a Value) -> Option<(&'a str, &'a Value)> {
        let content = body.get("content").map(object)?;
        assert_eq!(content.len(), 1, "one media type for each body");
        let (name, media) = content.iter().next()?;
        Some((name, media))
    }

    /// Checks values against `schema`, which stands somewhere in this document.
    pub(crate) fn validator(&self, schema: &Value, closed: bool) -> jsonschema::Validator {
        let mut schema = schema.clone();
        let document = match closed {
            true => {
                close(&mut schema);
                &self.closed
            }
            false => &self.text,
        };
        schema["components"] = document["components"].clone();
        jsonschema::options()
            .should_validate_formats(true)
            .build(&schema)
            .unwrap_or_else(|error| panic!("{schema}: {error}"))
    }

    /// Every field that a schema describes, as `VoicingDetails field started_at`: under the name of the schema that
    /// describes it, or of `owner` where it has none. With a value, only those that the value has.
    pub(crate) fn fields(
        &self,
        schema: &Value,
        owner: &str,
        value: Option<&Value>,
    ) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut walk = Walk {
            document: self,
            within: Vec::new(),
            found: &mut found,
        };
        walk.schema(schema, owner, "", value);
        found
    }
}

/// A walk over a schema, and over a value beside it if there is one.
struct Walk<'a, 'b> {
    document: &'a Document,
    /// The named schemas it is in.
    within: Vec<&'a str>,
    found: &'b mut BTreeSet<String>,
}

impl<'a> Walk<'a, '_> {
    fn schema(&mut self, schema: &'a Value, owner: &str, at: &str, value: Option<&Value>) {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            // A schema that holds itself is described once.
            if value.is_none() && self.within.contains(&reference) {
                return;
            }
            let name = reference.rsplit('/').next().unwrap_or_default();
            self.within.push(reference);
            self.schema(self.document.behind(reference), name, "", value);
            self.within.pop();
            return;
        }
        for (name, field) in schema.get("properties").map(object).into_iter().flatten() {
            let given = value.map(|value| value.get(name));
            if given == Some(None) {
                continue;
            }
            let at = match at {
                "" => name.clone(),
                at => format!("{at}.{name}"),
            };
            self.schema(field, owner, &at, given.flatten());
            self.found.insert(format!("{owner} field {at}"));
        }
        if let Some(items) = schema.get("items") {
            let at = format!("{at}[]");
            match value {
                None => self.schema(items, owner, &at, None),
                Some(value) => {
                    for item in value.as_array().into_iter().flatten() {
                        self.schema(items, owner, &at, Some(item));
                    }
                }
            }
        }
        for word in ["anyOf", "oneOf", "allOf"] {
            for part in schema[word].as_array().into_iter().flatten() {
                self.schema(part, owner, at, value);
            }
        }
    }
}

/// A list of `name: reason` lines in which `*` stands for anything.
pub(crate) struct Exceptions(BTreeMap<String, String>);

impl Exceptions {
    pub(crate) fn read(text: &str) -> Exceptions {
        let lines = text.lines().filter(|line| !line.is_empty());
        Exceptions(
            lines
                .map(|line| line.rsplit_once(": ").expect("a name and a reason"))
                .map(|(name, reason)| (name.to_owned(), reason.to_owned()))
                .collect(),
        )
    }

    /// Splits what is missing into what no line excuses and, second, the lines that excuse nothing.
    pub(crate) fn judge(&self, missing: &[String]) -> (Vec<String>, Vec<String>) {
        let excuses = |line: &String, name: &String| matches(line, name);
        let unexcused = missing
            .iter()
            .filter(|name| !self.0.keys().any(|line| excuses(line, name)));
        let idle = self
            .0
            .keys()
            .filter(|line| !missing.iter().any(|name| excuses(line, name)));
        (unexcused.cloned().collect(), idle.cloned().collect())
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices()
                .map(|(index, _)| &rest[index..])
                .chain([""])
                .any(|rest| matches(after, rest))
        }),
    }
}

fn fits(described: &str, path: &str) -> bool {
    let (described, path) = (described.trim_matches('/'), path.trim_matches('/'));
    let (described, path): (Vec<_>, Vec<_>) =
        (described.split('/').collect(), path.split('/').collect());
    described.len() == path.len()
        && described
            .iter()
            .zip(&path)
            .all(|(described, segment)| described.starts_with('{') || described == segment)
}

/// Forbids fields without a description, wherever fields are described.
fn close(value: &mut Value) {
    match value {
        Value::Object(object) => {
            // An object of schemas may hold one that is called `properties`.
            let described = object.get("properties").is_some_and(Value::is_object);
            if described && !object.contains_key("additionalProperties") {
                object.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            object.values_mut().for_each(close);
        }
        Value::Array(list) => list.iter_mut().for_each(close),
        _ => {}
    }
}

pub(crate) fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("an object")
}
