//! Revocations that are still owed to issuers.

use async_trait::async_trait;
use claviger_model::{Connection, CredentialKey, Revocation, RevocationId, Timestamp};

use crate::{Guarded, StoreError};

/// The queue of one tenant. A row goes when the issuer confirmed.
#[async_trait]
pub trait Revocations: Send + Sync {
    /// Ends a credential if its fingerprint is still `seen`, writes its connection, and queues its
    /// revocation, in one transaction.
    async fn surrender_credential(
        &self,
        key: &CredentialKey,
        seen: &[u8],
        connection: &Connection,
        revocation: &Revocation,
    ) -> Result<Guarded, StoreError>;
    /// Queues tokens that were never stored.
    async fn insert_revocation(&self, revocation: &Revocation) -> Result<(), StoreError>;
    /// All that are owed, the one to be tried next first.
    async fn list_revocations(&self) -> Result<Vec<Revocation>, StoreError>;
    /// Takes one for a try: sets `next_at` and counts the attempt, if `next_at` is still `seen`.
    async fn claim_revocation(
        &self,
        id: &RevocationId,
        seen: Timestamp,
        next_at: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Writes when it is tried next and why the last try failed.
    async fn postpone_revocation(
        &self,
        id: &RevocationId,
        next_at: Timestamp,
        failure: &str,
    ) -> Result<bool, StoreError>;
    /// Takes it off the queue: the issuer confirmed.
    async fn delete_revocation(&self, id: &RevocationId) -> Result<bool, StoreError>;
}
