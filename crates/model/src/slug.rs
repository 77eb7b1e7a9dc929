//! The name of a server in an address.

use core::fmt;

use serde::{Deserialize, Serialize};

/// `[a-z0-9][a-z0-9-]{0,62}`, and not one of our own paths.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

/// Why a text is no slug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSlug {
    /// It does not have the form of one.
    #[error("`{0}` is not a server name: use 1 to 63 of a-z, 0-9 and `-`, not starting with `-`")]
    Form(String),
    /// It is one of our own paths.
    #[error("`{0}` is a path of Claviger itself; pick another name")]
    Reserved(String),
}

impl Slug {
    /// Reads a slug.
    pub fn parse(text: &str) -> Result<Self, InvalidSlug> {
        let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let formed =
            (1..=63).contains(&text.len()) && text.bytes().all(plain) && !text.starts_with('-');
        if !formed {
            return Err(InvalidSlug::Form(text.chars().take(80).collect()));
        }
        if RESERVED.contains(&text) {
            return Err(InvalidSlug::Reserved(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The slug as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Slug {
    type Error = InvalidSlug;

    fn try_from(text: String) -> Result<Self, InvalidSlug> {
        Self::parse(&text)
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const RESERVED: [&str; 17] = [
    "api",
    "admin",
    "assets",
    "authorize",
    "callback",
    "device",
    "healthz",
    "login",
    "logout",
    "mcp",
    "metrics",
    "oauth",
    "readyz",
    "register",
    "revoke",
    "t",
    "token",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_plain_names() {
        for text in ["linear", "a", "0-day", &"x".repeat(63)] {
            assert!(Slug::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn refuses_other_forms() {
        for text in [
            "",
            "-a",
            "A",
            "a/b",
            "..",
            ".well-known",
            "a_b",
            &"x".repeat(64),
        ] {
            assert!(
                matches!(Slug::parse(text), Err(InvalidSlug::Form(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_our_own_paths() {
        assert!(matches!(
            Slug::parse("callback"),
            Err(InvalidSlug::Reserved(_))
        ));
    }
}
