//! Wrapped keys.

use std::sync::Arc;

use async_trait::async_trait;
use claviger_model::{AuditEntry, KeyRow};
use claviger_store::{Keys, StoreError};

use crate::error::store_error;
use crate::pool::Pool;
use crate::queries::keys;

/// The wrapped keys of a file.
pub(crate) struct SqliteKeys {
    pub(crate) pool: Arc<Pool>,
    /// What stands in one transaction with whatever is written.
    pub(crate) entry: Option<AuditEntry>,
}

#[async_trait]
impl Keys for SqliteKeys {
    async fn list_keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        let mut db = self.pool.read().await?;
        let rows = keys::list(&mut db).await.map_err(store_error)?;
        rows.into_iter().map(keys::read).collect()
    }

    async fn insert_key(&self, key: &KeyRow) -> Result<(), StoreError> {
        let mut db = self.pool.write().await?;
        keys::insert(&mut db, keys::row(key))
            .await
            .map_err(store_error)?;
        db.commit().await.map_err(store_error)
    }

    fn recorded(&self, entry: &AuditEntry) -> Arc<dyn Keys> {
        Arc::new(Self {
            pool: Arc::clone(&self.pool),
            entry: Some(entry.clone()),
        })
    }
}
