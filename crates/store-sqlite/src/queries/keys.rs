//! Statements of wrapped keys.

use sqlx::{Result, query, query_as};

use super::Db;

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
