//! What an entry holds: everything a replay needs, since nothing else may be there by then.

use std::borrow::Cow;

use claviger_crypto::{Secret, base64_decode, base64_encode};
use claviger_model::{
    AccountName, Credential, CredentialKey, RegistrationId, Server, ServerId, SignInId, TenantId,
    Timestamp, UserId,
};
use claviger_store::Lease;
use claviger_wire::ScopeSet;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::broker::origin_of;
use crate::record::{RecordError, Tokens};

/// What the issuer's answer was to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Gave {
    /// A refresh.
    Refresh {
        /// The fingerprint of the token that was sent, in base64.
        sent: String,
        /// Under which lease; entries of earlier versions do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lease: Option<Lent>,
    },
    /// The code of a sign-in.
    SignIn {
        id: SignInId,
        /// What the server asked for in a challenge, if that is why.
        challenged: Option<ScopeSet>,
    },
}

/// The lease of the flight that heard the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lent {
    pub(crate) owner: String,
    pub(crate) epoch: u64,
}

/// One answer of an issuer.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) gave: Gave,
    /// Where the server was. Tokens are not for whatever is at another address now (A205).
    pub(super) origin: String,
    pub(super) row: Credential,
    pub(super) tokens: Tokens,
}

#[derive(Serialize, Deserialize)]
struct EntryV1<'a> {
    v: u8,
    gave: Gave,
    origin: Cow<'a, str>,
    row: RowV1<'a>,
    access_token: Cow<'a, str>,
    refresh_token: Option<Cow<'a, str>>,
}

/// The columns of a credential without its seal, which is bound to a version.
#[derive(Serialize, Deserialize)]
struct RowV1<'a> {
    tenant: TenantId,
    user: UserId,
    server: ServerId,
    account: AccountName,
    version: u64,
    issuer: Cow<'a, str>,
    token_endpoint: Cow<'a, str>,
    revocation_endpoint: Option<Cow<'a, str>>,
    resource: Cow<'a, str>,
    registration: Option<RegistrationId>,
    scopes_requested: ScopeSet,
    scopes_granted: ScopeSet,
    obtained_at: Timestamp,
    expires_at: Option<Timestamp>,
}

// === impl Gave ===

impl Gave {
    pub(crate) fn refresh(sent: &[u8], lease: Lease) -> Self {
        Self::Refresh {
            sent: base64_encode(sent),
            lease: Some(Lent {
                owner: lease.owner,
                epoch: lease.epoch,
            }),
        }
    }

    /// The fingerprint that was sent; what cannot be read matches nothing.
    pub(super) fn sent(text: &str) -> Vec<u8> {
        base64_decode(text).unwrap_or_default()
    }
}

// === impl Entry ===

impl Entry {
    pub(super) fn new(server: &Server, gave: Gave, row: &Credential, tokens: &Tokens) -> Self {
        Self {
            gave,
            origin: origin_of(server),
            row: row.clone(),
            tokens: tokens.clone(),
        }
    }

    pub(super) fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, RecordError> {
        let bytes = serde_json::to_vec(&EntryV1 {
            v: 1,
            gave: self.gave.clone(),
            origin: Cow::Borrowed(&self.origin),
            row: RowV1::of(&self.row),
            access_token: Cow::Borrowed(self.tokens.access.expose()),
            refresh_token: self
                .tokens
                .refresh
                .as_ref()
                .map(|refresh| Cow::Borrowed(refresh.expose())),
        });
        bytes
            .map(Zeroizing::new)
            .map_err(|source| RecordError::UnknownShape { source })
    }

    /// `fingerprint` is computed anew by whoever reads it.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        let read: EntryV1<'_> =
            serde_json::from_slice(bytes).map_err(|source| RecordError::UnknownShape { source })?;
        let tokens = Tokens {
            access: Secret::new(read.access_token),
            refresh: read.refresh_token.map(Secret::new),
        };
        Ok(Self {
            gave: read.gave,
            origin: read.origin.into_owned(),
            row: read.row.into_row(tokens.refresh.is_some()),
            tokens,
        })
    }
}

// === impl RowV1 ===

impl<'a> RowV1<'a> {
    fn of(row: &'a Credential) -> Self {
        Self {
            tenant: row.key.tenant.clone(),
            user: row.key.user.clone(),
            server: row.key.server.clone(),
            account: row.key.account.clone(),
            version: row.version,
            issuer: Cow::Borrowed(&row.issuer),
            token_endpoint: Cow::Borrowed(&row.token_endpoint),
            revocation_endpoint: row.revocation_endpoint.as_deref().map(Cow::Borrowed),
            resource: Cow::Borrowed(&row.resource),
            registration: row.registration.clone(),
            scopes_requested: row.scopes_requested.clone(),
            scopes_granted: row.scopes_granted.clone(),
            obtained_at: row.obtained_at,
            expires_at: row.expires_at,
        }
    }

    fn into_row(self, is_refreshable: bool) -> Credential {
        Credential {
            key: CredentialKey {
                tenant: self.tenant,
                user: self.user,
                server: self.server,
                account: self.account,
            },
            version: self.version,
            fingerprint: Vec::new(),
            issuer: self.issuer.into_owned(),
            token_endpoint: self.token_endpoint.into_owned(),
            revocation_endpoint: self.revocation_endpoint.map(Cow::into_owned),
            resource: self.resource.into_owned(),
            registration: self.registration,
            scopes_requested: self.scopes_requested,
            scopes_granted: self.scopes_granted,
            obtained_at: self.obtained_at,
            expires_at: self.expires_at,
            is_refreshable,
            sealed: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::tests::credential;

    #[test]
    fn f14_an_entry_brings_everything_back() {
        let row = Credential {
            fingerprint: Vec::new(),
            sealed: Vec::new(),
            is_refreshable: true,
            ..credential(Some(5_000))
        };
        let lease = Lease {
            owner: "a flight".to_owned(),
            epoch: 3,
        };
        let entry = Entry {
            gave: Gave::refresh(&[1, 2, 255], lease.clone()),
            origin: "https://mcp.example".to_owned(),
            row: row.clone(),
            tokens: Tokens {
                access: Secret::new("a"),
                refresh: Some(Secret::new("r")),
            },
        };
        let read = Entry::from_bytes(&entry.to_bytes().unwrap()).unwrap();
        assert_eq!(read.row, row);
        assert_eq!(read.origin, entry.origin);
        assert_eq!(read.tokens.access.expose(), "a");
        assert_eq!(read.tokens.refresh.unwrap().expose(), "r");
        match read.gave {
            Gave::Refresh { sent, lease: lent } => {
                assert_eq!(Gave::sent(&sent), [1, 2, 255]);
                let lent = lent.unwrap();
                assert_eq!((lent.owner, lent.epoch), (lease.owner, lease.epoch));
            }
            other @ Gave::SignIn { .. } => panic!("{other:?}"),
        }
    }

    #[test]
    fn another_shape_is_refused() {
        assert!(Entry::from_bytes(b"{}").is_err());
        assert!(Entry::from_bytes(b"").is_err());
    }
}
