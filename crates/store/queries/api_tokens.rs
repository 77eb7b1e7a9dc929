//! Statements of our own API tokens.

use claviger_model::{ApiToken, TenantId, Timestamp};
use claviger_store::StoreError;
use sqlx::{Result, query, query_as};

use super::Db;
use super::columns::{instant, json, text, to_json};

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

/// What is stored of it.
pub(crate) fn row(token: &ApiToken) -> Result<ApiTokenRow, StoreError> {
    Ok(ApiTokenRow {
        id: token.id.as_str().to_owned(),
        user_id: token.user.as_str().to_owned(),
        name: token.name.clone(),
        mac: token.mac.clone(),
        servers: token.servers.as_ref().map(to_json).transpose()?,
        created_at: token.created_at.as_secs(),
        expires_at: token.expires_at.map(Timestamp::as_secs),
    })
}

/// What was stored; what does not read is corrupt.
pub(crate) fn read(tenant: &TenantId, row: ApiTokenRow) -> Result<ApiToken, StoreError> {
    let servers = row.servers.as_deref();
    Ok(ApiToken {
        id: text(row.id, "api_tokens.id")?,
        tenant: tenant.clone(),
        user: text(row.user_id, "api_tokens.user_id")?,
        name: row.name,
        mac: row.mac,
        servers: servers
            .map(|servers| json(servers, "api_tokens.servers"))
            .transpose()?,
        created_at: instant(row.created_at),
        expires_at: row.expires_at.map(instant),
    })
}
