//! The audit log.

use std::sync::Arc;

use async_trait::async_trait;
use claviger_model::{AuditEntry, AuditFilter, Timestamp};
use claviger_store::{Audit, StoreError};

use crate::error::store_error;
use crate::pool::Pool;
use crate::queries::audit;
use crate::queries::columns::{number, to_number};

/// The audit log of a file.
pub(crate) struct SqliteAudit {
    pub(crate) pool: Arc<Pool>,
}

#[async_trait]
impl Audit for SqliteAudit {
    async fn append_audit(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        self.pool
            .write(|mut db| async move {
                for entry in entries {
                    audit::insert(&mut db, audit::row(entry)?)
                        .await
                        .map_err(store_error)?;
                }
                db.keep().await
            })
            .await
    }

    async fn list_audit(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
        let mut db = self.pool.read().await?;
        let rows = audit::list(&mut db, filter).await.map_err(store_error)?;
        rows.into_iter().map(audit::read).collect()
    }

    async fn list_chain_heads(&self) -> Result<Vec<AuditEntry>, StoreError> {
        let mut db = self.pool.read().await?;
        let rows = audit::list_heads(&mut db).await.map_err(store_error)?;
        rows.into_iter().map(audit::read).collect()
    }

    async fn list_chain(
        &self,
        chain: &str,
        after: u64,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let after = to_number(after, "audit.seq")?;
        let mut db = self.pool.read().await?;
        let rows = audit::list_chain(&mut db, chain, after, limit)
            .await
            .map_err(store_error)?;
        rows.into_iter().map(audit::read).collect()
    }

    async fn prune_chain(
        &self,
        chain: &str,
        seq: u64,
        entry: &AuditEntry,
    ) -> Result<u64, StoreError> {
        let seq = to_number(seq, "audit.seq")?;
        self.pool
            .write(|mut db| async move {
                let deleted = audit::delete_up_to(&mut db, chain, seq)
                    .await
                    .map_err(store_error)?;
                audit::insert(&mut db, audit::row(entry)?)
                    .await
                    .map_err(store_error)?;
                db.keep().await?;
                Ok(deleted)
            })
            .await
    }

    async fn list_aged_chains(&self, before: Timestamp) -> Result<Vec<(String, u64)>, StoreError> {
        let mut db = self.pool.read().await?;
        let rows = audit::list_aged(&mut db, before.as_secs())
            .await
            .map_err(store_error)?;
        rows.into_iter()
            .map(|row| Ok((row.chain, number(row.seq, "audit.seq")?)))
            .collect()
    }
}
