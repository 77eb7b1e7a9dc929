//! Statements of revocations that are still owed.

use claviger_model::{Revocation, TenantId};
use claviger_store::StoreError;
use sqlx::{Result, query, query_as};

use super::Db;
use super::columns::{credential_key, instant, number, text};
use super::generation::of_record;

/// A row of `revocations`.
pub(crate) struct RevocationRow {
    pub(crate) id: String,
    pub(crate) server_id: String,
    pub(crate) user_id: String,
    pub(crate) account: String,
    pub(crate) server_name: String,
    pub(crate) issuer: String,
    pub(crate) sealed: Vec<u8>,
    pub(crate) attempts: i64,
    pub(crate) next_at: i64,
    pub(crate) last_failure: Option<String>,
    pub(crate) created_at: i64,
}

pub(crate) async fn insert(db: &mut Db, tenant: &TenantId, row: RevocationRow) -> Result<()> {
    let tenant = tenant.as_str();
    let generation = of_record(&row.sealed);
    query!(
        "INSERT INTO revocations (tenant_id, id, server_id, user_id, account, server_name, issuer,
             sealed, attempts, next_at, last_failure, created_at, key_generation)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        tenant,
        row.id,
        row.server_id,
        row.user_id,
        row.account,
        row.server_name,
        row.issuer,
        row.sealed,
        row.attempts,
        row.next_at,
        row.last_failure,
        row.created_at,
        generation
    )
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn list(db: &mut Db, tenant: &TenantId) -> Result<Vec<RevocationRow>> {
    let tenant = tenant.as_str();
    query_as!(
        RevocationRow,
        "SELECT id, server_id, user_id, account, server_name, issuer, sealed, attempts, next_at,
             last_failure, created_at
         FROM revocations WHERE tenant_id = $1 ORDER BY next_at, id",
        tenant
    )
    .fetch_all(db)
    .await
}

/// Guarded by the instant that was seen: of two nodes, one tries it.
pub(crate) async fn claim(
    db: &mut Db,
    tenant: &TenantId,
    id: &str,
    seen: i64,
    next_at: i64,
) -> Result<u64> {
    let tenant = tenant.as_str();
    let done = query!(
        "UPDATE revocations SET next_at = $4, attempts = attempts + 1
         WHERE tenant_id = $1 AND id = $2 AND next_at = $3",
        tenant,
        id,
        seen,
        next_at
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn postpone(
    db: &mut Db,
    tenant: &TenantId,
    id: &str,
    next_at: i64,
    failure: &str,
) -> Result<u64> {
    let tenant = tenant.as_str();
    let done = query!(
        "UPDATE revocations SET next_at = $3, last_failure = $4
         WHERE tenant_id = $1 AND id = $2",
        tenant,
        id,
        next_at,
        failure
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn delete(db: &mut Db, tenant: &TenantId, id: &str) -> Result<u64> {
    let tenant = tenant.as_str();
    let done = query!(
        "DELETE FROM revocations WHERE tenant_id = $1 AND id = $2",
        tenant,
        id
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// What is stored of it.
pub(crate) fn row(revocation: &Revocation) -> RevocationRow {
    RevocationRow {
        id: revocation.id.as_str().to_owned(),
        server_id: revocation.key.server.as_str().to_owned(),
        user_id: revocation.key.user.as_str().to_owned(),
        account: revocation.key.account.as_str().to_owned(),
        server_name: revocation.server_name.clone(),
        issuer: revocation.issuer.clone(),
        sealed: revocation.sealed.clone(),
        attempts: i64::from(revocation.attempts),
        next_at: revocation.next_at.as_secs(),
        last_failure: revocation.last_failure.clone(),
        created_at: revocation.created_at.as_secs(),
    }
}

/// What was stored; what does not read is corrupt.
pub(crate) fn read(tenant: &TenantId, row: RevocationRow) -> Result<Revocation, StoreError> {
    Ok(Revocation {
        id: text(row.id, "revocations.id")?,
        key: credential_key(tenant, row.server_id, row.user_id, row.account)?,
        server_name: row.server_name,
        issuer: row.issuer,
        sealed: row.sealed,
        attempts: number(row.attempts, "revocations.attempts")?,
        next_at: instant(row.next_at),
        last_failure: row.last_failure,
        created_at: instant(row.created_at),
    })
}
