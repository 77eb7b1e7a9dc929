//! Who knows whether a token is good.

use async_trait::async_trait;
use claviger_crypto::Secret;
use claviger_model::Timestamp;

use crate::Verified;

/// Why a token was not verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// It was good once.
    #[error("the token expired")]
    Expired,
    /// Nobody could say: a store or an issuer did not answer.
    #[error("the token could not be checked")]
    Unavailable,
    /// No such token, or it was revoked.
    #[error("the token is unknown or revoked")]
    Unknown,
    /// It is a token for somebody else.
    #[error("the token was issued for another resource")]
    WrongAudience,
}

/// Verifies one token: existence, expiry, revocation and audience.
#[async_trait]
pub trait Verify: Send + Sync + 'static {
    /// What the token stands for. Whoever cannot tell answers [`VerifyError::Unavailable`].
    async fn verify(&self, token: &Secret, now: Timestamp) -> Result<Verified, VerifyError>;
}
