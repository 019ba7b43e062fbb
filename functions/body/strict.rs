//! JSON read strictly: no name twice in an object, no NUL character in a text, no nesting beyond reason.
//! What two readers of one body could take differently is refused instead of guessed.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// How deep objects and lists may nest.
const DEPTH: usize = 64;

/// Reads one JSON value. The error's text shows nothing of what was sent.
pub(crate) fn parse(text: &str) -> Result<Value, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict { depth: DEPTH }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// One value, which may nest `depth` levels.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn inside<E: Error>(self) -> Result<Strict, E> {
        let depth = self.depth.checked_sub(1);
        let depth = depth.ok_or_else(|| E::custom("is nested too deep"))?;
        Ok(Strict { depth })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        without_nul(value)?;
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inside)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut object = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            without_nul(&name)?;
            if object.contains_key(&name) {
                return Err(A::Error::custom("names a field twice"));
            }
            object.insert(name, fields.next_value_seed(inside)?);
        }
        Ok(Value::Object(object))
    }
}

/// NUL ends a text for whoever reads it in C, and stores refuse it.
fn without_nul<E: Error>(text: &str) -> Result<(), E> {
    if text.contains('\0') {
        return Err(E::custom("contains a NUL character"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refuses(text: &str, why: &str) {
        let error = parse(text).unwrap_err();
        assert!(error.to_string().contains(why), "{text}: {error}");
    }

    #[test]
    fn reads_what_serde_json_reads() {
        for text in [
            r#"{"a":[1,-2,3.5,1e3,18446744073709551615],"b":{"c":null,"d":true},"":"\ud83d\ude00"}"#,
            "[]",
            r#""text""#,
            "12345678901234567890123",
        ] {
            let expected: Value = serde_json::from_str(text).unwrap();
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn refuses_what_could_be_read_in_two_ways() {
        refuses(r#"{"a":1,"a":2}"#, "names a field twice");
        refuses(r#"[{"b":{"a":1,"\u0061":1}}]"#, "names a field twice");
        refuses(r#"{"a":"x\u0000"}"#, "contains a NUL character");
        refuses(r#"{"a\u0000":1}"#, "contains a NUL character");
        refuses(r#"{"a":1} {"#, "trailing characters");
        refuses(r#"{"a":"\ud800"}"#, "hex escape");
        refuses("NaN", "expected value");
        refuses("1e999", "out of range");
    }

    #[test]
    fn refuses_deep_nesting() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&nested(DEPTH)).is_ok());
        refuses(&nested(DEPTH + 1), "is nested too deep");
        refuses(&"[".repeat(100_000), "is nested too deep");
    }
}
