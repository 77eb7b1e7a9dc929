//! The audit log.

use std::sync::Arc;

use async_trait::async_trait;
use claviger_model::{AuditEntry, AuditFilter, Timestamp};
use claviger_store::{Audit, StoreError};

use crate::pool::{Pool, Scope};
use crate::queries::audit;
use crate::queries::columns::{number, to_number};
use crate::retry::retry;

/// The audit log of a database.
pub(crate) struct PostgresAudit {
    pub(crate) pool: Arc<Pool>,
}

#[async_trait]
impl Audit for PostgresAudit {
    async fn append_audit(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        retry(|| async {
            let mut db = self.pool.write(Scope::Installation).await?;
            for entry in entries {
                audit::insert(&mut db, audit::row(entry)?).await?;
            }
            Ok(db.commit().await?)
        })
        .await
    }

    async fn list_audit(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
        let rows = retry(|| async {
            let mut db = self.pool.read(Scope::Installation).await?;
            Ok(audit::list(&mut db, filter).await?)
        });
        rows.await?.into_iter().map(audit::read).collect()
    }

    async fn list_chain_heads(&self) -> Result<Vec<AuditEntry>, StoreError> {
        let rows = retry(|| async {
            let mut db = self.pool.read(Scope::Installation).await?;
            Ok(audit::list_heads(&mut db).await?)
        });
        rows.await?.into_iter().map(audit::read).collect()
    }

    async fn list_chain(
        &self,
        chain: &str,
        after: u64,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let after = to_number(after, "audit.seq")?;
        let rows = retry(|| async {
            let mut db = self.pool.read(Scope::Installation).await?;
            Ok(audit::list_chain(&mut db, chain, after, limit).await?)
        });
        rows.await?.into_iter().map(audit::read).collect()
    }

    async fn prune_chain(
        &self,
        chain: &str,
        seq: u64,
        entry: &AuditEntry,
    ) -> Result<u64, StoreError> {
        let seq = to_number(seq, "audit.seq")?;
        retry(|| async {
            let mut db = self.pool.write(Scope::Installation).await?;
            let deleted = audit::delete_up_to(&mut db, chain, seq).await?;
            audit::insert(&mut db, audit::row(entry)?).await?;
            db.commit().await?;
            Ok(deleted)
        })
        .await
    }

    async fn list_aged_chains(&self, before: Timestamp) -> Result<Vec<(String, u64)>, StoreError> {
        let rows = retry(|| async {
            let mut db = self.pool.read(Scope::Installation).await?;
            Ok(audit::list_aged(&mut db, before.as_secs()).await?)
        });
        let rows = rows.await?.into_iter();
        rows.map(|row| Ok((row.chain, number(row.seq, "audit.seq")?)))
            .collect()
    }
}
