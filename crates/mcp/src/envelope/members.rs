//! The members of one JSON object: keys decoded, values raw, nothing ambiguous.

use core::fmt;
use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::EnvelopeError;

/// Members sorted by key.
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

struct Key<'a>(Cow<'a, str>);

struct MembersVisitor;

struct KeyVisitor;

impl<'a> Members<'a> {
    /// Reads an object; refuses keys that stand twice or that some readers take for one of `known`.
    pub(super) fn read(text: &'a str, known: &[&'static str]) -> Result<Self, EnvelopeError> {
        if !text.trim_ascii_start().starts_with('{') {
            let is_json = serde_json::from_str::<&RawValue>(text).is_ok();
            return Err(if is_json {
                EnvelopeError::NotAnObject
            } else {
                EnvelopeError::Malformed
            });
        }
        let Ok(mut members) = serde_json::from_str::<Self>(text) else {
            return Err(EnvelopeError::Malformed);
        };
        members.0.sort_by(|(one, _), (two, _)| one.cmp(two));
        let mut pairs = members.0.iter().zip(members.0.iter().skip(1));
        if pairs.any(|((one, _), (two, _))| one == two) {
            return Err(EnvelopeError::DuplicateKey);
        }
        for (key, _) in &members.0 {
            let twin = known.iter().find(|known| looks_like(key, known));
            if let Some(known) = twin {
                return Err(EnvelopeError::LookAlike(known));
            }
        }
        Ok(members)
    }

    /// The raw value of `key`.
    pub(super) fn find(&self, key: &str) -> Option<&'a RawValue> {
        let at = self
            .0
            .binary_search_by(|(one, _)| one.as_ref().cmp(key))
            .ok()?;
        self.0.get(at).map(|(_, value)| *value)
    }

    /// Writes the object again without `key`; `None` if nothing is left. Values keep their bytes.
    pub(super) fn without(&self, key: &str) -> Option<String> {
        self.write(key, None)
    }

    /// Writes the object again with another value for `key`.
    pub(super) fn with(&self, key: &str, value: &str) -> Option<String> {
        self.write(key, Some(value))
    }

    fn write(&self, key: &str, replacement: Option<&str>) -> Option<String> {
        let mut out = String::from("{");
        for (name, value) in &self.0 {
            let value = match replacement {
                _ if name != key => value.get(),
                Some(replacement) => replacement,
                None => continue,
            };
            if out.len() > 1 {
                out.push(',');
            }
            out.push_str(&serde_json::to_string(name).ok()?);
            out.push(':');
            out.push_str(value);
        }
        out.push('}');
        (out.len() > 2).then_some(out)
    }

    /// The value of `key`, which must be a string if it is there.
    pub(super) fn text(&self, key: &'static str) -> Result<Option<Cow<'a, str>>, EnvelopeError> {
        let Some(raw) = self.find(key) else {
            return Ok(None);
        };
        serde_json::from_str::<Key<'a>>(raw.get())
            .map(|text| Some(text.0))
            .or(Err(EnvelopeError::MemberType(key)))
    }
}

/// Go's decoder takes `Method`, and even `paramſ`, for the exact key.
fn looks_like(key: &str, known: &str) -> bool {
    if key == known || key.len() > known.len() * 3 {
        return false;
    }
    let fold = |one: char| match one {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    key.chars().map(fold).eq(known.chars().map(fold))
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(key) = map.next_key::<Key<'de>>()? {
            members.push((key.0, map.next_value()?));
        }
        Ok(Members(members))
    }
}

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = Key<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Key(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Key(Cow::Owned(text.to_owned())))
    }
}
