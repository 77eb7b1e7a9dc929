//! Statements of wrapped keys.

use claviger_model::{KeyRow, TenantId};
use claviger_store::StoreError;
use sqlx::{Result, query, query_as, query_scalar};

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

/// Guarded by the KEK that was seen: of two that rewrap, the second does not undo the first.
pub(crate) async fn rewrap(db: &mut Db, row: VaultKeyRow, seen: &[u8]) -> Result<u64> {
    let done = query!(
        "UPDATE vault_keys SET kek_id = $4, wrapped = $5
         WHERE tenant_id = $1 AND purpose = $2 AND generation = $3 AND kek_id = $6",
        row.tenant_id,
        row.purpose,
        row.generation,
        row.kek_id,
        row.wrapped,
        seen
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Neither the newest nor one with an older one beside it; the foreign keys keep one that rows hang
/// on (A208).
pub(crate) async fn delete(
    db: &mut Db,
    tenant: &str,
    purpose: &str,
    generation: i64,
) -> Result<u64> {
    let done = query!(
        "DELETE FROM vault_keys
         WHERE tenant_id = $1 AND purpose = $2 AND generation = $3
             AND EXISTS (SELECT 1 FROM vault_keys AS newer
                 WHERE newer.tenant_id = $1 AND newer.purpose = $2 AND newer.generation > $3)
             AND NOT EXISTS (SELECT 1 FROM vault_keys AS older
                 WHERE older.tenant_id = $1 AND older.purpose = $2 AND older.generation < $3)",
        tenant,
        purpose,
        generation
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn is_there(
    db: &mut Db,
    tenant: &str,
    purpose: &str,
    generation: i64,
) -> Result<bool> {
    let found = query_scalar!(
        "SELECT count(*) AS \"count!: i64\" FROM vault_keys
         WHERE tenant_id = $1 AND purpose = $2 AND generation = $3",
        tenant,
        purpose,
        generation
    )
    .fetch_one(db)
    .await?;
    Ok(found > 0)
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
