//! Wrapped keys.

use std::sync::Arc;

use async_trait::async_trait;
use claviger_model::{AuditEntry, KeyRow, TenantId};
use claviger_store::{Change, Keys, StoreError};

use crate::error::is_in_use;
use crate::finish::finish;
use crate::pool::{Pool, Scope};
use crate::queries::keys;
use crate::retry::retry;

/// The wrapped keys of a database.
pub(crate) struct PostgresKeys {
    pub(crate) pool: Arc<Pool>,
    /// What stands in one transaction with whatever is written.
    pub(crate) entries: Vec<AuditEntry>,
}

#[async_trait]
impl Keys for PostgresKeys {
    async fn list_keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        let rows = retry(|| async {
            let mut db = self.pool.read(Scope::Installation).await?;
            Ok(keys::list(&mut db).await?)
        });
        rows.await?.into_iter().map(keys::read).collect()
    }

    async fn insert_key(&self, key: &KeyRow) -> Result<(), StoreError> {
        retry(|| async {
            let mut db = self.pool.write(Scope::Installation).await?;
            keys::insert(&mut db, keys::row(key)).await?;
            finish(db, &[Change::Keys], &self.entries).await
        })
        .await
    }

    async fn rewrap_key(&self, key: &KeyRow, seen: &[u8]) -> Result<bool, StoreError> {
        retry(|| async {
            let mut db = self.pool.write(Scope::Installation).await?;
            let written = keys::rewrap(&mut db, keys::row(key), seen).await?;
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
        retry(|| async {
            let mut db = self.pool.write(Scope::Installation).await?;
            let deleted = match keys::delete(&mut db, tenant, purpose, generation).await {
                Err(error) if is_in_use(&error) => return Err(StoreError::Conflict.into()),
                done => done?,
            };
            if deleted > 0 {
                finish(db, &[Change::Keys], &self.entries).await?;
                return Ok(true);
            }
            if keys::is_there(&mut db, tenant, purpose, generation).await? {
                return Err(StoreError::Conflict.into());
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
