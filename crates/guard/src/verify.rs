//! Who knows whether a token is good.

use async_trait::async_trait;
use claviger_crypto::Secret;
use claviger_model::{Fault, Timestamp};

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

// === impl VerifyError ===

impl VerifyError {
    /// Who has to act.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Expired | Self::Unknown | Self::WrongAudience => Fault::Caller,
            Self::Unavailable => Fault::Us,
        }
    }
}

/// Verifies one token: existence, expiry, revocation and audience.
#[async_trait]
pub trait Verify: Send + Sync + 'static {
    /// What the token stands for. Whoever cannot tell answers [`VerifyError::Unavailable`].
    ///
    /// The request waits for it, without a limit of the guard's: whoever waits for something in
    /// here gives up in time and answers [`VerifyError::Unavailable`].
    async fn verify(&self, token: &Secret, now: Timestamp) -> Result<Verified, VerifyError>;
}
