//! The audit log.

use async_trait::async_trait;
use claviger_model::{AuditEntry, AuditFilter, Timestamp};

use crate::StoreError;
use crate::error::missing;

/// The entries of every node.
#[async_trait]
pub trait Audit: Send + Sync {
    /// Adds entries of any chains, all or none; [`StoreError::Conflict`] if one of them is there.
    async fn append_audit(&self, _entries: &[AuditEntry]) -> Result<(), StoreError> {
        Err(missing())
    }
    /// The entries a filter asks for, newest first.
    async fn list_audit(&self, _filter: &AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
        Err(missing())
    }
    /// The last entry of every chain, by chain.
    async fn list_chain_heads(&self) -> Result<Vec<AuditEntry>, StoreError> {
        Err(missing())
    }
    /// Entries of one chain above `after`, in order, at most `limit`.
    async fn list_chain(
        &self,
        _chain: &str,
        _after: u64,
        _limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        Err(missing())
    }
    /// Deletes the entries of one chain up to and with `seq`, and adds `entry`, which says so, in
    /// one transaction; says how many went.
    async fn prune_chain(
        &self,
        _chain: &str,
        _seq: u64,
        _entry: &AuditEntry,
    ) -> Result<u64, StoreError> {
        Err(missing())
    }
    /// The chains whose newest entry is older than `before`, or which hold entries that are, with
    /// the highest such sequence number, by chain.
    async fn list_aged_chains(&self, _before: Timestamp) -> Result<Vec<(String, u64)>, StoreError> {
        Err(missing())
    }
}
