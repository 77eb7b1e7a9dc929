//! What a lenient parser let pass, so that somebody stricter can decide about it.

use core::fmt;
use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// A value, and in what it was not as its RFC wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed<T> {
    /// What was read.
    pub value: T,
    /// In what it deviates, in the order in which it was noticed.
    pub deviations: Vec<Deviation>,
}

/// One thing a strict reader would have refused.
///
/// It carries no foreign text but the name of a field, shortened to plain characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deviation {
    /// A stable id: a quirk (`Q03`), an attack case (`A015`) or a spec row (`C-07`).
    pub id: Cow<'static, str>,
    /// What was noticed, in words of ours.
    pub note: Cow<'static, str>,
    /// In which field.
    pub field: Option<String>,
}

// === impl Parsed ===

impl<T> Parsed<T> {
    /// A value without deviations.
    pub fn clean(value: T) -> Self {
        Self {
            value,
            deviations: Vec::new(),
        }
    }

    /// The same deviations with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Parsed<U> {
        Parsed {
            value: change(self.value),
            deviations: self.deviations,
        }
    }

    /// Whether a deviation with this id was noticed.
    pub fn has(&self, id: &str) -> bool {
        self.deviations.iter().any(|one| one.id == id)
    }
}

// === impl Deviation ===

impl Deviation {
    /// A deviation of the whole message.
    pub const fn new(id: &'static str, note: &'static str) -> Self {
        Self {
            id: Cow::Borrowed(id),
            note: Cow::Borrowed(note),
            field: None,
        }
    }

    /// A deviation of one field.
    pub fn of(id: &'static str, note: &'static str, field: &str) -> Self {
        Self {
            field: Some(plain(field, FIELD_CHARS)),
            ..Self::new(id, note)
        }
    }
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{}: {} (`{field}`)", self.id, self.note),
            None => write!(f, "{}: {}", self.id, self.note),
        }
    }
}

/// Keeps letters, digits and `_-.` of a foreign name, up to `limit` of them.
pub(crate) fn plain(text: &str, limit: usize) -> String {
    text.chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        .take(limit)
        .collect()
}

const FIELD_CHARS: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_no_foreign_bytes_but_a_short_field_name() {
        let deviation = Deviation::of("Q16", "empty", "a<script>\u{1b}[31m".repeat(9).as_str());
        assert!(deviation.to_string().len() < 80);
        assert!(!deviation.to_string().contains(['<', '\u{1b}']));
    }
}
