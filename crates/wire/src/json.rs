//! Small JSON documents from peers: no doubled members, no deep nesting, nothing after the end.

use core::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::Deviation;
use crate::deviation::plain;

/// Why a body is no document of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// It is labelled as something else.
    #[error("its content type is not JSON")]
    ContentType,
    /// It is not JSON, or nested too deeply, or names a member twice.
    #[error("it is not well-formed JSON")]
    Malformed,
    /// It is JSON, but no object.
    #[error("it is not a JSON object")]
    NotObject,
    /// A member stands in it twice, so that two readers may see two documents.
    #[error("the member `{field}` stands in it twice")]
    Doubled {
        /// The member, shortened.
        field: String,
    },
}

/// The members of an object, and what was odd about those that were looked at.
#[derive(Debug)]
pub(crate) struct Object {
    members: Map<String, Value>,
    pub(crate) deviations: Vec<Deviation>,
}

/// Whether a `Content-Type` value says JSON.
pub fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let Some((kind, subtype)) = essence.split_once('/') else {
        return false;
    };
    kind.eq_ignore_ascii_case("application")
        && (subtype.eq_ignore_ascii_case("json") || subtype.to_ascii_lowercase().ends_with("+json"))
}

// === impl Object ===

impl Object {
    /// Reads an object, strictly: RFC 8259 §4 leaves doubled members open, so they are refused.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, JsonError> {
        let mut reader = serde_json::Deserializer::from_slice(body);
        let mut doubled = None;
        let seed = Strict {
            depth: 0,
            doubled: &mut doubled,
        };
        let read = seed
            .deserialize(&mut reader)
            .and_then(|value| reader.end().map(|()| value));
        match (read, doubled) {
            (_, Some(field)) => Err(JsonError::Doubled { field }),
            (Err(_malformed), None) => Err(JsonError::Malformed),
            (Ok(Value::Object(members)), None) => Ok(Self::of(members)),
            (Ok(_), None) => Err(JsonError::NotObject),
        }
    }

    pub(crate) fn of(members: Map<String, Value>) -> Self {
        Self {
            members,
            deviations: Vec::new(),
        }
    }

    /// Notes a deviation of one member.
    pub(crate) fn note(&mut self, id: &'static str, note: &'static str, field: &str) {
        self.deviations.push(Deviation::of(id, note, field));
    }

    /// The raw member; `null` is absent (Q16).
    pub(crate) fn raw(&self, field: &str) -> Option<&Value> {
        self.members.get(field).filter(|value| !value.is_null())
    }

    /// A nested object, copied.
    pub(crate) fn object(&self, field: &str) -> Option<Self> {
        match self.raw(field) {
            Some(Value::Object(members)) => Some(Self::of(members.clone())),
            _ => None,
        }
    }

    /// A text. Null and empty are absent (Q16), another type is absent and noted.
    pub(crate) fn text(&mut self, field: &'static str) -> Option<String> {
        match self.members.get(field) {
            None => None,
            Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
            Some(Value::Null | Value::String(_)) => {
                self.note("Q16", "null or empty, read as absent", field);
                None
            }
            Some(_) => {
                self.note("Q16", "not a text, read as absent", field);
                None
            }
        }
    }

    /// A truth value; a text that says one counts.
    pub(crate) fn flag(&mut self, field: &'static str) -> bool {
        match self.members.get(field) {
            Some(Value::Bool(flag)) => *flag,
            None => false,
            Some(Value::String(text)) if text == "true" => {
                self.note("Q16", "a text where a truth value belongs", field);
                true
            }
            Some(_) => {
                self.note("Q16", "not a truth value, read as false", field);
                false
            }
        }
    }

    /// A list of texts. Null is absent; what is no text in it is left out.
    pub(crate) fn texts(&mut self, field: &'static str) -> Option<Vec<String>> {
        let value = self.members.get(field)?;
        let list = match value {
            Value::Array(list) => list,
            Value::Null => {
                self.note("Q16", "null, read as absent", field);
                return None;
            }
            Value::String(text) if !text.is_empty() => {
                let one = text.split_whitespace().map(str::to_owned).collect();
                self.note("Q16", "a text where a list belongs", field);
                return Some(one);
            }
            _ => {
                self.note("Q16", "not a list, read as absent", field);
                return None;
            }
        };
        let texts: Vec<String> = list
            .iter()
            .filter_map(Value::as_str)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
            .collect();
        if texts.len() != list.len() {
            self.note("Q16", "entries that are no texts were left out", field);
        }
        Some(texts)
    }
}

/// Builds a value and stops at the first doubled member or at the depth limit.
struct Strict<'a> {
    depth: usize,
    doubled: &'a mut Option<String>,
}

impl Strict<'_> {
    fn deeper<E: serde::de::Error>(&mut self) -> Result<Strict<'_>, E> {
        if self.depth >= DEPTH {
            return Err(E::custom("too deep"));
        }
        Ok(Strict {
            depth: self.depth + 1,
            doubled: self.doubled,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = entries.next_element_seed(self.deeper()?)? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            if members.contains_key(&name) {
                *self.doubled = Some(plain(&name, 40));
                return Err(A::Error::custom("doubled"));
            }
            let value = entries.next_value_seed(self.deeper()?)?;
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

const DEPTH: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &[u8]) -> JsonError {
        Object::parse(body).unwrap_err()
    }

    #[test]
    fn a015_refuses_doubled_members_at_any_depth() {
        assert!(matches!(
            refusal(br#"{"issuer":"a","issuer":"b"}"#),
            JsonError::Doubled { field } if field == "issuer"
        ));
        assert!(matches!(
            refusal(br#"{"a":[{"b":1,"b":2}]}"#),
            JsonError::Doubled { .. }
        ));
        // The same name by another spelling is the same name.
        assert!(matches!(
            refusal(br#"{"issuer":"a","\u0069ssuer":"b"}"#),
            JsonError::Doubled { .. }
        ));
    }

    #[test]
    fn a015_refuses_deep_nesting_surrogates_byte_order_marks_and_trailing_bytes() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        for body in [
            deep.as_bytes(),
            b"{\"a\":\"\\ud800\"}",
            b"\xef\xbb\xbf{}",
            b"{} {}",
            b"{\"a\":\"\xff\"}",
            b"",
        ] {
            assert_eq!(refusal(body), JsonError::Malformed);
        }
        assert_eq!(refusal(b"[]"), JsonError::NotObject);
    }

    #[test]
    fn a014_only_json_is_labelled_json() {
        for yes in [
            "application/json",
            "application/json; charset=utf-8",
            "Application/JSON",
            "application/problem+json",
        ] {
            assert!(is_json(yes), "{yes}");
        }
        for no in ["text/html", "text/plain", "application/jsonp", "", "json"] {
            assert!(!is_json(no), "{no}");
        }
    }

    #[test]
    fn q16_null_empty_and_mistyped_members_are_absent() {
        let mut object =
            Object::parse(br#"{"a":null,"b":"","c":7,"d":["x",1,""],"e":"p q","f":"true"}"#)
                .unwrap();
        assert_eq!(object.text("a"), None);
        assert_eq!(object.text("b"), None);
        assert_eq!(object.text("c"), None);
        assert_eq!(object.texts("a"), None);
        assert_eq!(object.texts("c"), None);
        assert_eq!(object.texts("d"), Some(vec!["x".to_owned()]));
        assert_eq!(object.texts("e").map(|list| list.len()), Some(2));
        assert!(object.flag("f"));
        assert!(!object.flag("c"));
        assert_eq!(object.deviations.len(), 9);
    }
}
