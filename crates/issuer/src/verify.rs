//! What an access token of ours stands for; a guard asks through an adapter.

use claviger_crypto::{Secret, TokenKind, kind_of};
use claviger_model::{Fault, TenantId, Timestamp, UserId};
use claviger_wire::ScopeSet;

use crate::{AccessRow, Issuer, IssuerStoreError, ProofError, ProvenRequest};

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
    /// The proof that came with it needs a nonce of ours.
    #[error("the proof needs a nonce")]
    NeedsNonce,
    /// It is bound to a key, and came as a bearer token.
    #[error("the access token is bound to a key and is no bearer token")]
    NeedsProof,
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
            Self::Expired
            | Self::NeedsNonce
            | Self::NeedsProof
            | Self::Unknown
            | Self::WrongResource => Fault::Caller,
            Self::Store { source } => source.fault(),
        }
    }
}

impl Issuer {
    /// Looks a bearer token up for the resource that received it.
    pub async fn verify(
        &self,
        token: &Secret,
        resource: &str,
        now: Timestamp,
    ) -> Result<Issued, VerifyIssuedError> {
        let row = self.find_issued(token, resource, now).await?;
        // A104: with a bound token alone nobody is let in; the proof has to be seen, too.
        if row.dpop_jkt.is_some() {
            return Err(VerifyIssuedError::NeedsProof);
        }
        Ok(row.into())
    }

    /// Looks a token up that came with a proof (RFC 9449 §7). An unbound one is no bearer token
    /// here: whoever proves a key means a bound one.
    pub async fn verify_proven(
        &self,
        token: &Secret,
        request: &ProvenRequest<'_>,
        resource: &str,
        now: Timestamp,
    ) -> Result<Issued, VerifyIssuedError> {
        let row = self.find_issued(token, resource, now).await?;
        let proven = match self.dpop_key(request, Some(token), now).await {
            Ok(proven) => proven,
            Err(ProofError::Store(source)) => return Err(VerifyIssuedError::Store { source }),
            Err(ProofError::Nonce) => return Err(VerifyIssuedError::NeedsNonce),
            Err(ProofError::Invalid) => return Err(VerifyIssuedError::NeedsProof),
        };
        if row.dpop_jkt.is_none() || proven != row.dpop_jkt {
            return Err(VerifyIssuedError::NeedsProof);
        }
        Ok(row.into())
    }

    async fn find_issued(
        &self,
        token: &Secret,
        resource: &str,
        now: Timestamp,
    ) -> Result<AccessRow, VerifyIssuedError> {
        // A119: a code or a refresh token is no access token. A JWT has no kind, but a row.
        if kind_of(token.expose()).is_some_and(|kind| kind != TokenKind::Access) {
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
        Ok(row)
    }
}

impl From<AccessRow> for Issued {
    fn from(row: AccessRow) -> Self {
        Self {
            tenant: row.tenant,
            user: row.user,
            client_id: row.client_id,
            scopes: row.scopes,
            expires_at: row.expires_at,
        }
    }
}
