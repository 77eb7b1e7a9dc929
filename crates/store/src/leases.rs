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
}
