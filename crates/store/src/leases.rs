//! Leases: who may refresh a credential, by the database's own time.

use async_trait::async_trait;
use claviger_model::CredentialKey;

use crate::StoreError;

/// A lease that was obtained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Who holds it: random per flight.
    pub owner: String,
    /// Counts the owners; a later one has a larger number.
    pub epoch: u64,
}

/// What became of an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intended {
    /// It is written down, and there was none for this token.
    Declared,
    /// Somebody else has the lease, or another token is stored; nothing was written.
    Superseded,
    /// The same token was about to be sent before, and nobody took that back.
    WasLeft,
}

/// Leases of one tenant.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Takes the lease if nobody holds it or its time is over, and extends it for the owner that
    /// took it last, whose epoch stays; `ttl_ms` is in milliseconds.
    async fn acquire_lease(
        &self,
        key: &CredentialKey,
        owner: &str,
        ttl_ms: u32,
    ) -> Result<Option<Lease>, StoreError>;
    /// Gives it back, if it is still held by `lease`.
    async fn release_lease(&self, key: &CredentialKey, lease: &Lease) -> Result<(), StoreError>;
    /// Writes down that the stored refresh token, whose fingerprint is `sent`, is about to be sent
    /// under `lease`. It outlives the lease; with another token in its place it means nothing.
    async fn declare_intent(
        &self,
        key: &CredentialKey,
        lease: &Lease,
        sent: &[u8],
    ) -> Result<Intended, StoreError>;
    /// Takes back what was declared under `lease` for this token; false if somebody else took the
    /// lease since, or declared another one: theirs stays.
    async fn withdraw_intent(
        &self,
        key: &CredentialKey,
        lease: &Lease,
        sent: &[u8],
    ) -> Result<bool, StoreError>;
}
