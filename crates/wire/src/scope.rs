//! Scopes: RFC 6749 §3.3.

use core::fmt;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// One scope: one or more of `%x21 / %x23-5B / %x5D-7E` (RFC 6749 §3.3).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope(String);

/// A text that is no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a scope: RFC 6749 §3.3 allows printable ASCII but space, `\"` and `\\`")]
pub struct InvalidScope;

/// A set of scopes; order does not matter on the wire, so it is kept sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScopeSet(BTreeSet<Scope>);

// === impl Scope ===

impl Scope {
    /// Reads one scope.
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if text.is_empty() || !text.bytes().all(allowed) {
            return Err(InvalidScope);
        }
        Ok(Self(text.to_owned()))
    }

    /// The scope as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Scope {
    type Error = InvalidScope;

    fn try_from(text: String) -> Result<Self, InvalidScope> {
        Self::parse(&text)
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl ScopeSet ===

impl ScopeSet {
    /// Nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a list separated by white space; what is no scope is left out (parse leniently).
    pub fn parse_lossy(text: &str) -> Self {
        text.split_whitespace()
            .filter_map(|one| Scope::parse(one).ok())
            .collect()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The scopes in order.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }

    /// Whether `scope` is in it.
    pub fn contains(&self, scope: &str) -> bool {
        self.0.iter().any(|one| one.as_str() == scope)
    }

    /// Adds one.
    pub fn insert(&mut self, scope: Scope) {
        self.0.insert(scope);
    }

    /// All of them with `separator` between; a space is RFC 6749's.
    pub fn joined(&self, separator: char) -> String {
        let mut text = String::new();
        for scope in &self.0 {
            if !text.is_empty() {
                text.push(separator);
            }
            text.push_str(scope.as_str());
        }
        text
    }

    /// Everything in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.0.union(&other.0).cloned().collect()
    }

    /// What is here and not there.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        self.0.difference(&other.0).cloned().collect()
    }

    /// Whether everything here is there too.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.joined(' '))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_out_what_is_no_scope() {
        let set = ScopeSet::parse_lossy(" b  a\t\"x\" a ");
        assert_eq!(set.to_string(), "a b");
    }

    #[test]
    fn union_and_difference() {
        let (one, two) = (ScopeSet::parse_lossy("a b"), ScopeSet::parse_lossy("b c"));
        assert_eq!(one.union(&two).to_string(), "a b c");
        assert_eq!(two.minus(&one).to_string(), "c");
        assert!(ScopeSet::parse_lossy("b").is_subset(&one));
    }
}
