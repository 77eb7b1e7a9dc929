//! Statements of our own API tokens.

use claviger_model::TenantId;
use sqlx::{Result, query, query_as, query_scalar};

use super::Db;

/// A row of `api_tokens`.
pub(crate) struct ApiTokenRow {
    pub(crate) id: String,
    pub(crate) user_id: String,
    pub(crate) name: String,
    pub(crate) mac: Vec<u8>,
    pub(crate) servers: Option<String>,
    pub(crate) created_at: i64,
    pub(crate) expires_at: Option<i64>,
}

pub(crate) async fn insert(db: &mut Db, tenant: &TenantId, row: ApiTokenRow) -> Result<()> {
    let tenant = tenant.as_str();
    query!(
        "INSERT INTO api_tokens (tenant_id, id, user_id, name, mac, servers, created_at,
             expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        tenant,
        row.id,
        row.user_id,
        row.name,
        row.mac,
        row.servers,
        row.created_at,
        row.expires_at
    )
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn find(
    db: &mut Db,
    tenant: &TenantId,
    mac: &[u8],
) -> Result<Option<ApiTokenRow>> {
    let tenant = tenant.as_str();
    query_as!(
        ApiTokenRow,
        "SELECT id, user_id, name, mac, servers, created_at, expires_at
         FROM api_tokens WHERE tenant_id = $1 AND mac = $2",
        tenant,
        mac
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn list(db: &mut Db, tenant: &TenantId) -> Result<Vec<ApiTokenRow>> {
    let tenant = tenant.as_str();
    query_as!(
        ApiTokenRow,
        "SELECT id, user_id, name, mac, servers, created_at, expires_at
         FROM api_tokens WHERE tenant_id = $1 ORDER BY name, id",
        tenant
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn delete(db: &mut Db, tenant: &TenantId, id: &str) -> Result<u64> {
    let tenant = tenant.as_str();
    let done = query!(
        "DELETE FROM api_tokens WHERE tenant_id = $1 AND id = $2",
        tenant,
        id
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// The tenants with this MAC; more than one only if somebody planted a row.
pub(crate) async fn locate(db: &mut Db, mac: &[u8]) -> Result<Vec<String>> {
    query_scalar!(
        "SELECT tenant_id FROM api_tokens WHERE mac = $1 LIMIT 2",
        mac
    )
    .fetch_all(db)
    .await
}
