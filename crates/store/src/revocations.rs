//! Revocations that are still owed to issuers.

use async_trait::async_trait;
use claviger_model::{Connection, CredentialKey, Revocation, RevocationId, Timestamp};

use crate::error::missing;
use crate::{Guarded, StoreError};

/// The queue of one tenant. A row goes when the issuer confirmed.
#[async_trait]
pub trait Revocations: Send + Sync {
    /// Ends a credential if its fingerprint is still `seen`, writes its connection, and queues its
    /// revocation, in one transaction.
    async fn surrender_credential(
        &self,
        _key: &CredentialKey,
        _seen: &[u8],
        _connection: &Connection,
        _revocation: &Revocation,
    ) -> Result<Guarded, StoreError> {
        Err(missing())
    }
    /// Queues tokens that were never stored.
    async fn insert_revocation(&self, _revocation: &Revocation) -> Result<(), StoreError> {
        Err(missing())
    }
    /// All that are owed, the one to be tried next first.
    async fn list_revocations(&self) -> Result<Vec<Revocation>, StoreError> {
        Err(missing())
    }
    /// Takes one for a try: sets `next_at` and counts the attempt, if `next_at` is still `seen`.
    async fn claim_revocation(
        &self,
        _id: &RevocationId,
        _seen: Timestamp,
        _next_at: Timestamp,
    ) -> Result<bool, StoreError> {
        Err(missing())
    }
    /// Writes when it is tried next and why the last try failed.
    async fn postpone_revocation(
        &self,
        _id: &RevocationId,
        _next_at: Timestamp,
        _failure: &str,
    ) -> Result<bool, StoreError> {
        Err(missing())
    }
    /// Takes it off the queue: the issuer confirmed.
    async fn delete_revocation(&self, _id: &RevocationId) -> Result<bool, StoreError> {
        Err(missing())
    }
}
