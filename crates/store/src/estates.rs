//! The end of a tenant.

use async_trait::async_trait;
use claviger_model::{CredentialKey, Revocation, RevocationId, TenantId};

use crate::StoreError;

/// What a tenant holds and owes when it ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Estate {
    /// Every credential, and the fingerprint that was seen.
    pub credentials: Vec<(CredentialKey, Vec<u8>)>,
    /// Every revocation that it owes.
    pub owed: Vec<RevocationId>,
    /// The same, and those of its credentials, sealed anew as the heir's: the tenant's key opens
    /// nothing any more, and its issuers are told all the same.
    pub inherited: Vec<Revocation>,
}

/// Tenants as a whole.
#[async_trait]
pub trait Estates: Send + Sync {
    /// Deletes every row of the tenant and all of its keys, and queues what it owes as `heir`'s, in
    /// one transaction. The audit log stays, and so do, for as long as they are needed, the names
    /// in what tells others of changes.
    ///
    /// [`StoreError::Conflict`] if there is a credential, a fingerprint or a revocation that
    /// `estate` does not name, or if something was sealed in between; nothing is written then.
    /// False if the tenant has no row.
    async fn surrender_tenant(&self, heir: &TenantId, estate: &Estate) -> Result<bool, StoreError>;
}
