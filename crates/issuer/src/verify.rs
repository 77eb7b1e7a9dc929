//! What an access token of ours stands for; a guard asks through an adapter.

use claviger_crypto::{Secret, TokenKind, kind_of};
use claviger_model::{Fault, TenantId, Timestamp, UserId};
use claviger_wire::ScopeSet;

use crate::{Issuer, IssuerStoreError};

/// A good access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// Whose.
    pub tenant: TenantId,
    /// Whose.
    pub user: UserId,
    /// To which client.
    pub client_id: String,
    /// What it allows.
    pub scopes: ScopeSet,
    /// Until when.
    pub expires_at: Timestamp,
}

/// Why a token is not good.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyIssuedError {
    /// It was good once.
    #[error("the access token expired")]
    Expired,
    /// The store did not answer.
    #[error("could not look the access token up")]
    Store {
        /// The cause.
        #[source]
        source: IssuerStoreError,
    },
    /// No such token, or it was revoked.
    #[error("the access token is unknown or revoked")]
    Unknown,
    /// It is for another resource.
    #[error("the access token is for another resource")]
    WrongResource,
}

// === impl VerifyIssuedError ===

impl VerifyIssuedError {
    /// Who has to act.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Expired | Self::Unknown | Self::WrongResource => Fault::Caller,
            Self::Store { source } => source.fault(),
        }
    }
}

impl Issuer {
    /// Looks a token up for the resource that received it.
    pub async fn verify(
        &self,
        token: &Secret,
        resource: &str,
        now: Timestamp,
    ) -> Result<Issued, VerifyIssuedError> {
        // A119: a code or a refresh token is no access token.
        if kind_of(token.expose()) != Some(TokenKind::Access) {
            return Err(VerifyIssuedError::Unknown);
        }
        let mac = self.token_mac(token);
        let row = match self.doors.store.find_access(&mac).await {
            Ok(Some(row)) => row,
            Ok(None) => return Err(VerifyIssuedError::Unknown),
            Err(source) => return Err(VerifyIssuedError::Store { source }),
        };
        if row.resource != resource {
            return Err(VerifyIssuedError::WrongResource);
        }
        if row.expires_at <= now {
            return Err(VerifyIssuedError::Expired);
        }
        Ok(Issued {
            tenant: row.tenant,
            user: row.user,
            client_id: row.client_id,
            scopes: row.scopes,
            expires_at: row.expires_at,
        })
    }
}
