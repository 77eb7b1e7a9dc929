//! Wrapped keys.

use std::sync::Arc;

use async_trait::async_trait;
use claviger_model::{KeyRow, TenantId};
use claviger_store::{Keys, StoreError};

use crate::columns::{instant, number, text};
use crate::error::store_error;
use crate::pool::Pool;
use crate::queries::keys::{self, VaultKeyRow};

/// The wrapped keys of a file.
pub(crate) struct SqliteKeys {
    pub(crate) pool: Arc<Pool>,
}

#[async_trait]
impl Keys for SqliteKeys {
    async fn list_keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        let mut db = self.pool.read().await?;
        let rows = keys::list(&mut db).await.map_err(store_error)?;
        rows.into_iter().map(read).collect()
    }

    async fn insert_key(&self, key: &KeyRow) -> Result<(), StoreError> {
        let mut db = self.pool.write().await?;
        keys::insert(&mut db, row(key)).await.map_err(store_error)?;
        db.commit().await.map_err(store_error)
    }
}

fn row(key: &KeyRow) -> VaultKeyRow {
    VaultKeyRow {
        tenant_id: key.tenant.as_ref().map_or("", TenantId::as_str).to_owned(),
        purpose: key.purpose.clone(),
        generation: i64::from(key.generation),
        kek_id: key.kek_id.clone(),
        wrapped: key.wrapped.clone(),
        created_at: key.created_at.as_secs(),
    }
}

fn read(row: VaultKeyRow) -> Result<KeyRow, StoreError> {
    let tenant = if row.tenant_id.is_empty() {
        None
    } else {
        Some(text(row.tenant_id, "vault_keys.tenant_id")?)
    };
    Ok(KeyRow {
        tenant,
        purpose: row.purpose,
        generation: number(row.generation, "vault_keys.generation")?,
        kek_id: row.kek_id,
        wrapped: row.wrapped,
        created_at: instant(row.created_at),
    })
}
