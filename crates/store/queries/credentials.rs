//! Statements of the credentials we hold.

use claviger_model::{Credential, TenantId, Timestamp};
use claviger_store::StoreError;
use sqlx::{Result, query_as, query_scalar};

use super::Db;
use super::columns::{credential_key, flag, instant, json, number, text, to_json, to_number};
use super::generation::of_record;
use super::key::Key;

/// A row of `credentials`.
pub(crate) struct CredentialRow {
    pub(crate) server_id: String,
    pub(crate) user_id: String,
    pub(crate) account: String,
    pub(crate) version: i64,
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) issuer: String,
    pub(crate) token_endpoint: String,
    pub(crate) revocation_endpoint: Option<String>,
    pub(crate) resource: String,
    pub(crate) registration_id: Option<String>,
    pub(crate) scopes_requested: String,
    pub(crate) scopes_granted: String,
    pub(crate) obtained_at: i64,
    pub(crate) expires_at: Option<i64>,
    pub(crate) is_refreshable: i64,
    pub(crate) sealed: Vec<u8>,
}

pub(crate) async fn find(db: &mut Db, key: Key<'_>) -> Result<Option<CredentialRow>> {
    query_as!(
        CredentialRow,
        "SELECT server_id, user_id, account, version, fingerprint, issuer, token_endpoint,
             revocation_endpoint, resource, registration_id, scopes_requested, scopes_granted,
             obtained_at, expires_at, is_refreshable, sealed
         FROM credentials
         WHERE tenant_id = $1 AND server_id = $2 AND user_id = $3 AND account = $4",
        key.tenant,
        key.server,
        key.user,
        key.account
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn list(
    db: &mut Db,
    tenant: &TenantId,
    server: &str,
) -> Result<Vec<CredentialRow>> {
    let tenant = tenant.as_str();
    query_as!(
        CredentialRow,
        "SELECT server_id, user_id, account, version, fingerprint, issuer, token_endpoint,
             revocation_endpoint, resource, registration_id, scopes_requested, scopes_granted,
             obtained_at, expires_at, is_refreshable, sealed
         FROM credentials WHERE tenant_id = $1 AND server_id = $2
         ORDER BY user_id, account",
        tenant,
        server
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn list_of_user(
    db: &mut Db,
    tenant: &TenantId,
    user: &str,
) -> Result<Vec<CredentialRow>> {
    let tenant = tenant.as_str();
    query_as!(
        CredentialRow,
        "SELECT server_id, user_id, account, version, fingerprint, issuer, token_endpoint,
             revocation_endpoint, resource, registration_id, scopes_requested, scopes_granted,
             obtained_at, expires_at, is_refreshable, sealed
         FROM credentials WHERE tenant_id = $1 AND user_id = $2
         ORDER BY server_id, account",
        tenant,
        user
    )
    .fetch_all(db)
    .await
}

/// The seal is bound to the version, so that it is written as it is given or not at all.
pub(crate) async fn replace(
    db: &mut Db,
    tenant: &TenantId,
    row: CredentialRow,
) -> Result<Option<i64>> {
    let (tenant, generation) = (tenant.as_str(), of_record(&row.sealed));
    query_scalar!(
        "INSERT INTO credentials (tenant_id, server_id, user_id, account, version, fingerprint,
             issuer, token_endpoint, revocation_endpoint, resource, registration_id,
             scopes_requested, scopes_granted, obtained_at, expires_at, is_refreshable, sealed,
             key_generation)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
         ON CONFLICT (tenant_id, server_id, user_id, account) DO UPDATE SET
             version = excluded.version,
             fingerprint = excluded.fingerprint, issuer = excluded.issuer,
             token_endpoint = excluded.token_endpoint,
             revocation_endpoint = excluded.revocation_endpoint, resource = excluded.resource,
             registration_id = excluded.registration_id,
             scopes_requested = excluded.scopes_requested,
             scopes_granted = excluded.scopes_granted, obtained_at = excluded.obtained_at,
             expires_at = excluded.expires_at, is_refreshable = excluded.is_refreshable,
             sealed = excluded.sealed, key_generation = excluded.key_generation
         WHERE excluded.version > credentials.version
         RETURNING version AS \"version!: i64\"",
        tenant,
        row.server_id,
        row.user_id,
        row.account,
        row.version,
        row.fingerprint,
        row.issuer,
        row.token_endpoint,
        row.revocation_endpoint,
        row.resource,
        row.registration_id,
        row.scopes_requested,
        row.scopes_granted,
        row.obtained_at,
        row.expires_at,
        row.is_refreshable,
        row.sealed,
        generation
    )
    .fetch_optional(db)
    .await
}

/// Guarded by the fingerprint (I30): a write of anything beside it in the meantime must not lose a
/// token the issuer already rotated. The version only ever grows, and the seal is bound to it.
pub(crate) async fn rotate(
    db: &mut Db,
    tenant: &TenantId,
    sent: &[u8],
    row: CredentialRow,
) -> Result<Option<i64>> {
    let (tenant, generation) = (tenant.as_str(), of_record(&row.sealed));
    query_scalar!(
        "UPDATE credentials SET version = $6, fingerprint = $7, issuer = $8,
             token_endpoint = $9, revocation_endpoint = $10, resource = $11, registration_id = $12,
             scopes_requested = $13, scopes_granted = $14, obtained_at = $15, expires_at = $16,
             is_refreshable = $17, sealed = $18, key_generation = $19
         WHERE tenant_id = $1 AND server_id = $2 AND user_id = $3 AND account = $4
             AND fingerprint = $5 AND version < $6
         RETURNING version AS \"version!: i64\"",
        tenant,
        row.server_id,
        row.user_id,
        row.account,
        sent,
        row.version,
        row.fingerprint,
        row.issuer,
        row.token_endpoint,
        row.revocation_endpoint,
        row.resource,
        row.registration_id,
        row.scopes_requested,
        row.scopes_granted,
        row.obtained_at,
        row.expires_at,
        row.is_refreshable,
        row.sealed,
        generation
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn delete(db: &mut Db, key: Key<'_>, seen: &[u8]) -> Result<Option<i64>> {
    query_scalar!(
        "DELETE FROM credentials
         WHERE tenant_id = $1 AND server_id = $2 AND user_id = $3 AND account = $4
             AND fingerprint = $5
         RETURNING version AS \"version!: i64\"",
        key.tenant,
        key.server,
        key.user,
        key.account,
        seen
    )
    .fetch_optional(db)
    .await
}

/// What is stored of it.
pub(crate) fn row(credential: &Credential) -> Result<CredentialRow, StoreError> {
    Ok(CredentialRow {
        server_id: credential.key.server.as_str().to_owned(),
        user_id: credential.key.user.as_str().to_owned(),
        account: credential.key.account.as_str().to_owned(),
        version: to_number(credential.version, "credentials.version")?,
        fingerprint: credential.fingerprint.clone(),
        issuer: credential.issuer.clone(),
        token_endpoint: credential.token_endpoint.clone(),
        revocation_endpoint: credential.revocation_endpoint.clone(),
        resource: credential.resource.clone(),
        registration_id: credential
            .registration
            .as_ref()
            .map(|id| id.as_str().to_owned()),
        scopes_requested: to_json(&credential.scopes_requested)?,
        scopes_granted: to_json(&credential.scopes_granted)?,
        obtained_at: credential.obtained_at.as_secs(),
        expires_at: credential.expires_at.map(Timestamp::as_secs),
        is_refreshable: i64::from(credential.is_refreshable),
        sealed: credential.sealed.clone(),
    })
}

/// What was stored; what does not read is corrupt.
pub(crate) fn read(tenant: &TenantId, row: CredentialRow) -> Result<Credential, StoreError> {
    Ok(Credential {
        key: credential_key(tenant, row.server_id, row.user_id, row.account)?,
        version: number(row.version, "credentials.version")?,
        fingerprint: row.fingerprint,
        issuer: row.issuer,
        token_endpoint: row.token_endpoint,
        revocation_endpoint: row.revocation_endpoint,
        resource: row.resource,
        registration: row
            .registration_id
            .map(|id| text(id, "credentials.registration_id"))
            .transpose()?,
        scopes_requested: json(&row.scopes_requested, "credentials.scopes_requested")?,
        scopes_granted: json(&row.scopes_granted, "credentials.scopes_granted")?,
        obtained_at: instant(row.obtained_at),
        expires_at: row.expires_at.map(instant),
        is_refreshable: flag(row.is_refreshable, "credentials.is_refreshable")?,
        sealed: row.sealed,
    })
}
