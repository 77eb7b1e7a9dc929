//! Wrapped keys.

use std::sync::Arc;

use async_trait::async_trait;
use claviger_model::{AuditEntry, KeyRow};
use claviger_store::{Keys, StoreError};

use crate::pool::{Pool, Scope};
use crate::queries::keys;
use crate::retry::retry;

/// The wrapped keys of a database.
pub(crate) struct PostgresKeys {
    pub(crate) pool: Arc<Pool>,
    /// What stands in one transaction with whatever is written.
    pub(crate) entry: Option<AuditEntry>,
}

#[async_trait]
impl Keys for PostgresKeys {
    async fn list_keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        let rows = retry(|| async {
            let mut db = self.pool.read(Scope::Keys).await?;
            Ok(keys::list(&mut db).await?)
        });
        rows.await?.into_iter().map(keys::read).collect()
    }

    async fn insert_key(&self, key: &KeyRow) -> Result<(), StoreError> {
        retry(|| async {
            let mut db = self.pool.write(Scope::Keys).await?;
            keys::insert(&mut db, keys::row(key)).await?;
            Ok(db.commit().await?)
        })
        .await
    }

    fn recorded(&self, entry: &AuditEntry) -> Arc<dyn Keys> {
        Arc::new(Self {
            pool: Arc::clone(&self.pool),
            entry: Some(entry.clone()),
        })
    }
}
