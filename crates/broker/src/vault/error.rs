//! Why the vault does not open, seal or unseal.

use claviger_crypto::{OpenError, UnwrapError};
use claviger_store::StoreError;

use super::KekProviderError;

/// Why the vault does not open, seal or unseal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The keys at hand do not open this database (A207).
    #[error("the key file does not open this database")]
    WrongKey {
        /// The cause.
        #[source]
        source: UnwrapError,
    },
    /// A sealed record was changed, moved, or belongs to another server (A203–A205).
    #[error("a sealed record was refused")]
    Tampered {
        /// The cause.
        #[source]
        source: OpenError,
    },
    /// A record names a key generation that is not there.
    #[error("a sealed record names a key that is not there")]
    UnknownKey,
    /// Whoever keeps the KEK does not answer, and what was unwrapped before is too old (F30).
    #[error("whoever keeps the key does not answer")]
    Unavailable {
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database did not answer.
    #[error("could not read or write the keys")]
    Store {
        /// The cause.
        #[source]
        source: StoreError,
    },
}

impl From<StoreError> for VaultError {
    fn from(source: StoreError) -> Self {
        Self::Store { source }
    }
}

impl From<KekProviderError> for VaultError {
    fn from(error: KekProviderError) -> Self {
        match error {
            KekProviderError::Refused { source } => Self::WrongKey { source },
            KekProviderError::Unavailable { source } => Self::Unavailable { source },
        }
    }
}
