//! The audit log.

use async_trait::async_trait;
use claviger_model::{AuditEntry, AuditFilter, Timestamp};

use crate::StoreError;

/// The entries of every node.
#[async_trait]
pub trait Audit: Send + Sync {
    /// Adds entries of any chains, all or none; [`StoreError::Conflict`] if one of them is there.
    async fn append_audit(&self, entries: &[AuditEntry]) -> Result<(), StoreError>;
    /// The entries a filter asks for, newest first.
    async fn list_audit(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, StoreError>;
    /// The last entry of every chain, by chain.
    async fn list_chain_heads(&self) -> Result<Vec<AuditEntry>, StoreError>;
    /// Entries of one chain above `after`, in order, at most `limit`.
    async fn list_chain(
        &self,
        chain: &str,
        after: u64,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError>;
    /// Deletes the entries of one chain up to and with `seq`, and adds `entry`, which says so, in
    /// one transaction; says how many went.
    async fn prune_chain(
        &self,
        chain: &str,
        seq: u64,
        entry: &AuditEntry,
    ) -> Result<u64, StoreError>;
    /// The chains whose newest entry is older than `before`, or which hold entries that are, with
    /// the highest such sequence number, by chain.
    async fn list_aged_chains(&self, before: Timestamp) -> Result<Vec<(String, u64)>, StoreError>;
}
