//! Wrapped keys.

use std::sync::Arc;

use async_trait::async_trait;
use claviger_model::{AuditEntry, KeyRow, TenantId};
use claviger_store::{Change, Keys, StoreError};

use crate::error::{is_in_use, store_error};
use crate::finish::finish;
use crate::pool::Pool;
use crate::queries::keys;

/// The wrapped keys of a file.
pub(crate) struct SqliteKeys {
    pub(crate) pool: Arc<Pool>,
    /// What stands in one transaction with whatever is written.
    pub(crate) entries: Vec<AuditEntry>,
}

#[async_trait]
impl Keys for SqliteKeys {
    async fn list_keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        let mut db = self.pool.read().await?;
        let rows = keys::list(&mut db).await.map_err(store_error)?;
        rows.into_iter().map(keys::read).collect()
    }

    async fn insert_key(&self, key: &KeyRow) -> Result<(), StoreError> {
        self.pool
            .write(|mut db| async move {
                keys::insert(&mut db, keys::row(key))
                    .await
                    .map_err(store_error)?;
                finish(db, &[Change::Keys], &self.entries).await
            })
            .await
    }

    async fn rewrap_key(&self, key: &KeyRow, seen: &[u8]) -> Result<bool, StoreError> {
        self.pool
            .write(|mut db| async move {
                let written = keys::rewrap(&mut db, keys::row(key), seen)
                    .await
                    .map_err(store_error)?;
                if written > 0 {
                    finish(db, &[Change::Keys], &self.entries).await?;
                }
                Ok(written > 0)
            })
            .await
    }

    async fn delete_key(
        &self,
        tenant: Option<&TenantId>,
        purpose: &str,
        generation: u32,
    ) -> Result<bool, StoreError> {
        let (tenant, generation) = (tenant.map_or("", TenantId::as_str), generation.into());
        self.pool
            .write(|mut db| async move {
                let deleted = match keys::delete(&mut db, tenant, purpose, generation).await {
                    Err(error) if is_in_use(&error) => return Err(StoreError::Conflict),
                    done => done.map_err(store_error)?,
                };
                if deleted > 0 {
                    finish(db, &[Change::Keys], &self.entries).await?;
                    return Ok(true);
                }
                let is_there = keys::is_there(&mut db, tenant, purpose, generation)
                    .await
                    .map_err(store_error)?;
                if is_there {
                    return Err(StoreError::Conflict);
                }
                Ok(false)
            })
            .await
    }

    fn recorded(&self, entries: &[AuditEntry]) -> Arc<dyn Keys> {
        Arc::new(Self {
            pool: Arc::clone(&self.pool),
            entries: entries.to_vec(),
        })
    }
}
