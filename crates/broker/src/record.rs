//! What is inside a seal: versioned JSON, written and read here only.

use std::borrow::Cow;

use claviger_crypto::Secret;
use claviger_model::{Credential, Registration, RegistrationOrigin};
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
    /// Where that token goes.
    pub(crate) registration_client_uri: Option<String>,
}

/// Why a sealed text is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    /// A column beside the seal was changed in the database.
    #[error("the row says something else than its sealed record")]
    Changed,
    /// It has a shape this binary does not know.
    #[error("a sealed record has an unknown shape")]
    UnknownShape {
        #[source]
        source: serde_json::Error,
    },
}

// Borrowed while writing; owned after reading, and moved into a `Secret` without a copy.
#[derive(Serialize, Deserialize)]
struct TokensV1<'a> {
    v: u8,
    access_token: Cow<'a, str>,
    refresh_token: Option<Cow<'a, str>>,
    sent_to: SentTo<'a>,
}

/// Where the secrets of a credential go. These stand in columns of their own, so that they may be
/// shown; whoever can write the database must not be able to have a refresh token sent elsewhere
/// (A205, Q39).
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SentTo<'a> {
    token_endpoint: Cow<'a, str>,
    revocation_endpoint: Option<Cow<'a, str>>,
    resource: Cow<'a, str>,
    registration: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
struct ClientSecretsV1<'a> {
    v: u8,
    client_secret: Option<Cow<'a, str>>,
    registration_access_token: Option<Cow<'a, str>>,
    #[serde(default)]
    registration_client_uri: Option<Cow<'a, str>>,
    client: Client<'a>,
}

/// Whose secrets they are: a registration that says it is the operator's own gets the operator's
/// secret, so its origin is not left to the database.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Client<'a> {
    client_id: Cow<'a, str>,
    origin: RegistrationOrigin,
}

// === impl Tokens ===

impl Tokens {
    pub(crate) fn to_bytes(&self, row: &Credential) -> Result<Zeroizing<Vec<u8>>, RecordError> {
        to_bytes(&TokensV1 {
            v: 1,
            access_token: Cow::Borrowed(self.access.expose()),
            refresh_token: self.refresh.as_ref().map(borrow),
            sent_to: SentTo::of(row),
        })
    }

    pub(crate) fn from_bytes(bytes: &[u8], row: &Credential) -> Result<Self, RecordError> {
        let read: TokensV1<'_> = from_bytes(bytes)?;
        if read.sent_to != SentTo::of(row) {
            return Err(RecordError::Changed);
        }
        Ok(Self {
            access: Secret::new(read.access_token),
            refresh: read.refresh_token.map(Secret::new),
        })
    }
}

// === impl ClientSecrets ===

impl ClientSecrets {
    pub(crate) fn to_bytes(&self, row: &Registration) -> Result<Zeroizing<Vec<u8>>, RecordError> {
        to_bytes(&ClientSecretsV1 {
            v: 1,
            client_secret: self.client_secret.as_ref().map(borrow),
            registration_access_token: self.registration_access_token.as_ref().map(borrow),
            registration_client_uri: self.registration_client_uri.as_deref().map(Cow::Borrowed),
            client: Client::of(row),
        })
    }

    pub(crate) fn from_bytes(bytes: &[u8], row: &Registration) -> Result<Self, RecordError> {
        let read: ClientSecretsV1<'_> = from_bytes(bytes)?;
        if read.client != Client::of(row) {
            return Err(RecordError::Changed);
        }
        Ok(Self {
            client_secret: read.client_secret.map(Secret::new),
            registration_access_token: read.registration_access_token.map(Secret::new),
            registration_client_uri: read.registration_client_uri.map(Cow::into_owned),
        })
    }
}

// === impl SentTo ===

impl<'a> SentTo<'a> {
    fn of(row: &'a Credential) -> Self {
        Self {
            token_endpoint: Cow::Borrowed(&row.token_endpoint),
            revocation_endpoint: row.revocation_endpoint.as_deref().map(Cow::Borrowed),
            resource: Cow::Borrowed(&row.resource),
            registration: row
                .registration
                .as_ref()
                .map(|id| Cow::Borrowed(id.as_str())),
        }
    }
}

// === impl Client ===

impl<'a> Client<'a> {
    fn of(row: &'a Registration) -> Self {
        Self {
            client_id: Cow::Borrowed(&row.client_id),
            origin: row.origin,
        }
    }
}

fn borrow(secret: &Secret) -> Cow<'_, str> {
    Cow::Borrowed(secret.expose())
}

fn to_bytes<T: Serialize>(value: &T) -> Result<Zeroizing<Vec<u8>>, RecordError> {
    serde_json::to_vec(value)
        .map(Zeroizing::new)
        .map_err(|source| RecordError::UnknownShape { source })
}

fn from_bytes<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, RecordError> {
    serde_json::from_slice(bytes).map_err(|source| RecordError::UnknownShape { source })
}

#[cfg(test)]
mod tests {
    use claviger_model::{RegistrationId, ServerId, TenantId, Timestamp};

    use super::*;
    use crate::cache::tests::credential;

    fn registration() -> Registration {
        Registration {
            id: RegistrationId::from_random([1; 16]),
            tenant: TenantId::default_tenant(),
            server: ServerId::from_random([1; 16]),
            issuer: "https://issuer.example".to_owned(),
            origin: RegistrationOrigin::Dynamic,
            client_id: "client".to_owned(),
            auth_method: "none".to_owned(),
            redirect_uri: None,
            secret_expires_at: None,
            registration_client_uri: None,
            sealed: Vec::new(),
            created_at: Timestamp::from_secs(0),
        }
    }

    #[test]
    fn tokens_come_back() {
        let tokens = Tokens {
            access: Secret::new("a"),
            refresh: Some(Secret::new("r")),
        };
        let row = credential(None);
        let read = Tokens::from_bytes(&tokens.to_bytes(&row).unwrap(), &row).unwrap();
        assert_eq!(read.access.expose(), "a");
        assert_eq!(read.refresh.unwrap().expose(), "r");
    }

    #[test]
    fn a205_q39_tokens_open_for_no_other_address() {
        let tokens = Tokens {
            access: Secret::new("a"),
            refresh: None,
        };
        let row = credential(None);
        let sealed = tokens.to_bytes(&row).unwrap();
        let changes: [fn(&mut Credential); 4] = [
            |row| row.token_endpoint = "https://evil.example/token".to_owned(),
            |row| row.revocation_endpoint = Some("https://evil.example/revoke".to_owned()),
            |row| row.resource = "https://evil.example/mcp".to_owned(),
            |row| row.registration = Some(RegistrationId::from_random([9; 16])),
        ];
        for change in changes {
            let mut changed = row.clone();
            change(&mut changed);
            let read = Tokens::from_bytes(&sealed, &changed);
            assert!(matches!(read, Err(RecordError::Changed)));
        }
    }

    #[test]
    fn q11_a_dynamic_secret_and_its_management_token_come_back() {
        let secrets = ClientSecrets {
            client_secret: Some(Secret::new("s")),
            registration_access_token: Some(Secret::new("t")),
            registration_client_uri: Some("https://issuer.example/register/c".to_owned()),
        };
        let mut row = registration();
        let sealed = secrets.to_bytes(&row).unwrap();
        let read = ClientSecrets::from_bytes(&sealed, &row).unwrap();
        assert_eq!(read.client_secret.unwrap().expose(), "s");
        assert_eq!(read.registration_access_token.unwrap().expose(), "t");
        row.origin = RegistrationOrigin::Static;
        let read = ClientSecrets::from_bytes(&sealed, &row);
        assert!(matches!(read, Err(RecordError::Changed)));
    }
}
