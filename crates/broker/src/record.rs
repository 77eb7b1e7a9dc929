//! What is inside a seal: versioned JSON, written and read here only.

use std::borrow::Cow;

use claviger_crypto::Secret;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The tokens of a credential.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    pub(crate) access: Secret,
    pub(crate) refresh: Option<Secret>,
}

/// The secrets of a registration.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClientSecrets {
    pub(crate) client_secret: Option<Secret>,
    pub(crate) registration_access_token: Option<Secret>,
}

/// A sealed text has a shape this binary does not know.
#[derive(Debug, thiserror::Error)]
#[error("a sealed record has an unknown shape")]
pub(crate) struct UnknownShape {
    #[source]
    source: serde_json::Error,
}

// Borrowed while writing; owned after reading, and moved into a `Secret` without a copy.
#[derive(Serialize, Deserialize)]
struct TokensV1<'a> {
    v: u8,
    access_token: Cow<'a, str>,
    refresh_token: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
struct ClientSecretsV1<'a> {
    v: u8,
    client_secret: Option<Cow<'a, str>>,
    registration_access_token: Option<Cow<'a, str>>,
}

// === impl Tokens ===

impl Tokens {
    pub(crate) fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, UnknownShape> {
        to_bytes(&TokensV1 {
            v: 1,
            access_token: Cow::Borrowed(self.access.expose()),
            refresh_token: self.refresh.as_ref().map(borrow),
        })
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, UnknownShape> {
        let read: TokensV1<'_> = from_bytes(bytes)?;
        Ok(Self {
            access: Secret::new(read.access_token),
            refresh: read.refresh_token.map(Secret::new),
        })
    }
}

// === impl ClientSecrets ===

impl ClientSecrets {
    pub(crate) fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, UnknownShape> {
        to_bytes(&ClientSecretsV1 {
            v: 1,
            client_secret: self.client_secret.as_ref().map(borrow),
            registration_access_token: self.registration_access_token.as_ref().map(borrow),
        })
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, UnknownShape> {
        let read: ClientSecretsV1<'_> = from_bytes(bytes)?;
        Ok(Self {
            client_secret: read.client_secret.map(Secret::new),
            registration_access_token: read.registration_access_token.map(Secret::new),
        })
    }
}

fn borrow(secret: &Secret) -> Cow<'_, str> {
    Cow::Borrowed(secret.expose())
}

fn to_bytes<T: Serialize>(value: &T) -> Result<Zeroizing<Vec<u8>>, UnknownShape> {
    serde_json::to_vec(value)
        .map(Zeroizing::new)
        .map_err(|source| UnknownShape { source })
}

fn from_bytes<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, UnknownShape> {
    serde_json::from_slice(bytes).map_err(|source| UnknownShape { source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back() {
        let tokens = Tokens {
            access: Secret::new("a"),
            refresh: Some(Secret::new("r")),
        };
        let read = Tokens::from_bytes(&tokens.to_bytes().unwrap()).unwrap();
        assert_eq!(read.access.expose(), "a");
        assert_eq!(read.refresh.unwrap().expose(), "r");
    }

    #[test]
    fn q11_a_dynamic_secret_and_its_management_token_come_back() {
        let secrets = ClientSecrets {
            client_secret: Some(Secret::new("s")),
            registration_access_token: Some(Secret::new("t")),
        };
        let read = ClientSecrets::from_bytes(&secrets.to_bytes().unwrap()).unwrap();
        assert_eq!(read.client_secret.unwrap().expose(), "s");
        assert_eq!(read.registration_access_token.unwrap().expose(), "t");
    }
}
