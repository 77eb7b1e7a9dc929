//! Typed ids: text, so that both databases store them alike.

use core::fmt;

use serde::{Deserialize, Serialize};

/// A text that is no id: empty, over 64 bytes, or with other characters than `[a-z0-9_-]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id: expected 1 to 64 characters of a-z, 0-9, `_` and `-`")]
pub struct InvalidId;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Makes an id of sixteen random bytes.
            pub fn from_random(bytes: [u8; 16]) -> Self {
                Self(hex(&bytes))
            }

            /// Reads an id.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                check(text)?;
                Ok(Self(text.to_owned()))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                check(&text)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

ids! {
    /// Which of a user's several accounts at one server (N3); usually `default`.
    AccountName;
    /// An API token of our own.
    ApiTokenId;
    /// Client information we received from an issuer.
    RegistrationId;
    /// A revocation that is still owed.
    RevocationId;
    /// A row of the catalogue.
    ServerId;
    /// One sign-in in flight.
    SignInId;
    /// The isolation boundary.
    TenantId;
    /// A person in our own directory.
    UserId;
}

impl AccountName {
    /// The account a user has who has only one.
    pub fn default_account() -> Self {
        Self("default".to_owned())
    }
}

impl TenantId {
    /// The tenant of a single-tenant installation.
    pub fn default_tenant() -> Self {
        Self("default".to_owned())
    }
}

impl UserId {
    /// The person who owns a local installation.
    pub fn owner() -> Self {
        Self("owner".to_owned())
    }
}

fn check(text: &str) -> Result<(), InvalidId> {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    if text.is_empty() || text.len() > 64 || !text.bytes().all(plain) {
        return Err(InvalidId);
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_ids_are_hex() {
        assert_eq!(ServerId::from_random([0xab; 16]).as_str(), "ab".repeat(16));
    }

    #[test]
    fn refuses_what_could_leave_its_place_in_a_path() {
        for text in ["", "a/b", "..", "A", "a b", &"a".repeat(65)] {
            assert_eq!(ServerId::parse(text), Err(InvalidId), "{text}");
        }
    }
}
