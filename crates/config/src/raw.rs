//! A value before its type is known, and the types a setting may have.

use core::net::SocketAddr;
use core::str::FromStr;
use std::ffi::OsStr;
use std::path::PathBuf;

use toml::Value;
use toml::de::DeValue;
use url::Url;

/// A value as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Raw {
    Flag(bool),
    Integer(i64),
    List(Vec<Self>),
    /// Nothing a setting can be: its TOML type.
    Other(&'static str),
    Text(String),
}

/// A type that a setting may have.
pub(crate) trait Setting: Sized {
    /// Reads the value; `None` if it does not fit.
    fn parse(raw: &Raw) -> Option<Self>;

    /// The value as TOML; `None` is "not set".
    fn shown(&self) -> Option<Value>;
}

// === impl Raw ===

impl Raw {
    /// Takes a value from a TOML file.
    pub(crate) fn from_toml(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::Array(items) => Self::List(
                items
                    .iter()
                    .map(|item| Self::from_toml(item.get_ref()))
                    .collect(),
            ),
            DeValue::Boolean(flag) => Self::Flag(*flag),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(
                    Self::Other("an integer of more than 64 bits"),
                    Self::Integer,
                ),
            DeValue::String(text) => Self::Text(text.clone().into_owned()),
            DeValue::Datetime(_) => Self::Other("a date"),
            DeValue::Float(_) => Self::Other("a number with a fraction"),
            DeValue::Table(_) => Self::Other("a table"),
        }
    }

    /// Takes a value from the environment.
    pub(crate) fn from_text(text: &OsStr) -> Self {
        text.to_str()
            .map_or(Self::Other("bytes that are not UTF-8"), |text| {
                Self::Text(text.to_owned())
            })
    }

    /// What was found, for people. Text is cut and its control characters are escaped.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Flag(flag) => format!("found {flag}"),
            Self::Integer(number) => format!("found {number}"),
            Self::List(items) => format!("found a list of {}", items.len()),
            Self::Other(kind) => format!("found {kind}"),
            Self::Text(text) if text.chars().count() > SHOWN_CHARS => {
                let start: String = text.chars().take(SHOWN_CHARS).collect();
                format!("found {start:?} and more")
            }
            Self::Text(text) => format!("found {text:?}"),
        }
    }

    fn parsed<T: FromStr>(&self) -> Option<T> {
        match self {
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }
}

// === impl Setting ===

impl Setting for String {
    fn parse(raw: &Raw) -> Option<Self> {
        raw.parsed()
    }

    fn shown(&self) -> Option<Value> {
        Some(Value::String(self.clone()))
    }
}

impl Setting for PathBuf {
    fn parse(raw: &Raw) -> Option<Self> {
        raw.parsed::<Self>()
            .filter(|path| !path.as_os_str().is_empty())
    }

    fn shown(&self) -> Option<Value> {
        Some(Value::String(self.display().to_string()))
    }
}

impl Setting for SocketAddr {
    fn parse(raw: &Raw) -> Option<Self> {
        raw.parsed()
    }

    fn shown(&self) -> Option<Value> {
        Some(Value::String(self.to_string()))
    }
}

impl Setting for Url {
    fn parse(raw: &Raw) -> Option<Self> {
        raw.parsed()
    }

    fn shown(&self) -> Option<Value> {
        Some(Value::String(self.as_str().to_owned()))
    }
}

impl Setting for u16 {
    fn parse(raw: &Raw) -> Option<Self> {
        u32::parse(raw)?.try_into().ok()
    }

    fn shown(&self) -> Option<Value> {
        Some(Value::Integer((*self).into()))
    }
}

impl Setting for u32 {
    fn parse(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Integer(number) => (*number).try_into().ok(),
            _ => raw.parsed(),
        }
    }

    fn shown(&self) -> Option<Value> {
        Some(Value::Integer((*self).into()))
    }
}

impl<T: Setting> Setting for Option<T> {
    fn parse(raw: &Raw) -> Option<Self> {
        T::parse(raw).map(Some)
    }

    fn shown(&self) -> Option<Value> {
        self.as_ref().and_then(T::shown)
    }
}

impl<T: Setting> Setting for Vec<T> {
    fn parse(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::List(items) => items.iter().map(T::parse).collect(),
            // The environment and the command line know no lists: commas.
            Raw::Text(text) => text
                .split(',')
                .map(|item| T::parse(&Raw::Text(item.trim().to_owned())))
                .collect(),
            _ => None,
        }
    }

    fn shown(&self) -> Option<Value> {
        Some(Value::Array(self.iter().filter_map(T::shown).collect()))
    }
}

const SHOWN_CHARS: usize = 80;
