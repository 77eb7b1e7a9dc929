//! Statements of wrapped keys.

use claviger_model::{KeyRow, TenantId};
use claviger_store::StoreError;
use sqlx::{Result, query, query_as};

use super::Db;
use super::columns::{instant, number, text};

/// A row of `vault_keys`.
pub(crate) struct VaultKeyRow {
    pub(crate) tenant_id: String,
    pub(crate) purpose: String,
    pub(crate) generation: i64,
    pub(crate) kek_id: Vec<u8>,
    pub(crate) wrapped: Vec<u8>,
    pub(crate) created_at: i64,
}

pub(crate) async fn list(db: &mut Db) -> Result<Vec<VaultKeyRow>> {
    query_as!(
        VaultKeyRow,
        "SELECT tenant_id, purpose, generation, kek_id, wrapped, created_at
         FROM vault_keys ORDER BY tenant_id, purpose, generation"
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn insert(db: &mut Db, row: VaultKeyRow) -> Result<()> {
    query!(
        "INSERT INTO vault_keys (tenant_id, purpose, generation, kek_id, wrapped, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        row.tenant_id,
        row.purpose,
        row.generation,
        row.kek_id,
        row.wrapped,
        row.created_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What is stored of it.
pub(crate) fn row(key: &KeyRow) -> VaultKeyRow {
    VaultKeyRow {
        tenant_id: key.tenant.as_ref().map_or("", TenantId::as_str).to_owned(),
        purpose: key.purpose.clone(),
        generation: i64::from(key.generation),
        kek_id: key.kek_id.clone(),
        wrapped: key.wrapped.clone(),
        created_at: key.created_at.as_secs(),
    }
}

/// What was stored; what does not read is corrupt.
pub(crate) fn read(row: VaultKeyRow) -> Result<KeyRow, StoreError> {
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
