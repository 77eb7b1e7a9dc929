//! Statements of client information.

use claviger_model::{Registration, TenantId, Timestamp};
use claviger_store::StoreError;
use sqlx::{Result, query, query_as};

use super::Db;
use super::columns::{instant, text, to_text};
use super::generation::of_record;

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
    let (tenant, generation) = (tenant.as_str(), of_record(&row.sealed));
    query!(
        "INSERT INTO registrations (tenant_id, id, server_id, issuer, origin, client_id,
             auth_method, redirect_uri, secret_expires_at, registration_client_uri, sealed,
             is_current, created_at, key_generation)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1, $12, $13)",
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
        row.created_at,
        generation
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

/// What is stored of it.
pub(crate) fn row(registration: &Registration) -> Result<RegistrationRow, StoreError> {
    Ok(RegistrationRow {
        id: registration.id.as_str().to_owned(),
        server_id: registration.server.as_str().to_owned(),
        issuer: registration.issuer.clone(),
        origin: to_text(&registration.origin, "registrations.origin")?,
        client_id: registration.client_id.clone(),
        auth_method: registration.auth_method.clone(),
        redirect_uri: registration.redirect_uri.clone(),
        secret_expires_at: registration.secret_expires_at.map(Timestamp::as_secs),
        registration_client_uri: registration.registration_client_uri.clone(),
        sealed: registration.sealed.clone(),
        created_at: registration.created_at.as_secs(),
    })
}

/// What was stored; what does not read is corrupt.
pub(crate) fn read(tenant: &TenantId, row: RegistrationRow) -> Result<Registration, StoreError> {
    Ok(Registration {
        id: text(row.id, "registrations.id")?,
        tenant: tenant.clone(),
        server: text(row.server_id, "registrations.server_id")?,
        issuer: row.issuer,
        origin: text(row.origin, "registrations.origin")?,
        client_id: row.client_id,
        auth_method: row.auth_method,
        redirect_uri: row.redirect_uri,
        secret_expires_at: row.secret_expires_at.map(instant),
        registration_client_uri: row.registration_client_uri,
        sealed: row.sealed,
        created_at: instant(row.created_at),
    })
}
