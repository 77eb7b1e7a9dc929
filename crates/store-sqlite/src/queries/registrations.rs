//! Statements of client information.

use claviger_model::TenantId;
use sqlx::{Result, query, query_as};

use super::Db;

/// A row of `registrations`.
pub(crate) struct RegistrationRow {
    pub(crate) id: String,
    pub(crate) server_id: String,
    pub(crate) issuer: String,
    pub(crate) origin: String,
    pub(crate) client_id: String,
    pub(crate) auth_method: String,
    pub(crate) redirect_uri: Option<String>,
    pub(crate) secret_expires_at: Option<i64>,
    pub(crate) registration_client_uri: Option<String>,
    pub(crate) sealed: Vec<u8>,
    pub(crate) created_at: i64,
}

pub(crate) async fn find_current(
    db: &mut Db,
    tenant: &TenantId,
    server: &str,
    issuer: &str,
) -> Result<Option<RegistrationRow>> {
    let tenant = tenant.as_str();
    query_as!(
        RegistrationRow,
        "SELECT id, server_id, issuer, origin, client_id, auth_method, redirect_uri,
             secret_expires_at, registration_client_uri, sealed, created_at
         FROM registrations
         WHERE tenant_id = $1 AND server_id = $2 AND issuer = $3 AND is_current = 1",
        tenant,
        server,
        issuer
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn list(
    db: &mut Db,
    tenant: &TenantId,
    server: &str,
) -> Result<Vec<RegistrationRow>> {
    let tenant = tenant.as_str();
    query_as!(
        RegistrationRow,
        "SELECT id, server_id, issuer, origin, client_id, auth_method, redirect_uri,
             secret_expires_at, registration_client_uri, sealed, created_at
         FROM registrations WHERE tenant_id = $1 AND server_id = $2
         ORDER BY created_at, id",
        tenant,
        server
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn find_by_id(
    db: &mut Db,
    tenant: &TenantId,
    id: &str,
) -> Result<Option<RegistrationRow>> {
    let tenant = tenant.as_str();
    query_as!(
        RegistrationRow,
        "SELECT id, server_id, issuer, origin, client_id, auth_method, redirect_uri,
             secret_expires_at, registration_client_uri, sealed, created_at
         FROM registrations WHERE tenant_id = $1 AND id = $2",
        tenant,
        id
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn retire_current(
    db: &mut Db,
    tenant: &TenantId,
    server: &str,
    issuer: &str,
) -> Result<()> {
    let tenant = tenant.as_str();
    query!(
        "UPDATE registrations SET is_current = 0
         WHERE tenant_id = $1 AND server_id = $2 AND issuer = $3 AND is_current = 1",
        tenant,
        server,
        issuer
    )
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn insert(db: &mut Db, tenant: &TenantId, row: RegistrationRow) -> Result<()> {
    let tenant = tenant.as_str();
    query!(
        "INSERT INTO registrations (tenant_id, id, server_id, issuer, origin, client_id,
             auth_method, redirect_uri, secret_expires_at, registration_client_uri, sealed,
             is_current, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1, $12)",
        tenant,
        row.id,
        row.server_id,
        row.issuer,
        row.origin,
        row.client_id,
        row.auth_method,
        row.redirect_uri,
        row.secret_expires_at,
        row.registration_client_uri,
        row.sealed,
        row.created_at
    )
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn retire(db: &mut Db, tenant: &TenantId, id: &str) -> Result<u64> {
    let tenant = tenant.as_str();
    let done = query!(
        "UPDATE registrations SET is_current = 0
         WHERE tenant_id = $1 AND id = $2 AND is_current = 1",
        tenant,
        id
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
