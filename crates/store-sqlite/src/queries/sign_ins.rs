//! Statements of sign-ins in flight.

use claviger_model::TenantId;
use sqlx::{Result, query, query_as, query_scalar};

use super::Db;
use crate::key::Key;

/// A row of `sign_ins`.
pub(crate) struct SignInRow {
    pub(crate) id: String,
    pub(crate) server_id: String,
    pub(crate) user_id: String,
    pub(crate) account: String,
    pub(crate) state_mac: Vec<u8>,
    pub(crate) sealed: Vec<u8>,
    pub(crate) created_at: i64,
    pub(crate) expires_at: i64,
    pub(crate) outcome: Option<String>,
}

/// What is sealed goes with the end: nobody can take it any more.
pub(crate) async fn end_expired(
    db: &mut Db,
    key: Key<'_>,
    now: i64,
    outcome: &str,
    erased: &[u8],
) -> Result<()> {
    query!(
        "UPDATE sign_ins SET outcome = $6, sealed = $7
         WHERE tenant_id = $1 AND server_id = $2 AND user_id = $3 AND account = $4
             AND outcome IS NULL AND expires_at <= $5",
        key.tenant,
        key.server,
        key.user,
        key.account,
        now,
        outcome,
        erased
    )
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn insert(db: &mut Db, tenant: &TenantId, row: SignInRow) -> Result<()> {
    let tenant = tenant.as_str();
    query!(
        "INSERT INTO sign_ins (tenant_id, id, server_id, user_id, account, state_mac, sealed,
             created_at, expires_at, taken_at, outcome)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, NULL, $10)",
        tenant,
        row.id,
        row.server_id,
        row.user_id,
        row.account,
        row.state_mac,
        row.sealed,
        row.created_at,
        row.expires_at,
        row.outcome
    )
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn find_open(db: &mut Db, key: Key<'_>, now: i64) -> Result<Option<SignInRow>> {
    query_as!(
        SignInRow,
        "SELECT id, server_id, user_id, account, state_mac, sealed, created_at, expires_at,
             outcome
         FROM sign_ins
         WHERE tenant_id = $1 AND server_id = $2 AND user_id = $3 AND account = $4
             AND outcome IS NULL AND expires_at > $5",
        key.tenant,
        key.server,
        key.user,
        key.account,
        now
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn find(db: &mut Db, tenant: &TenantId, id: &str) -> Result<Option<SignInRow>> {
    let tenant = tenant.as_str();
    query_as!(
        SignInRow,
        "SELECT id, server_id, user_id, account, state_mac, sealed, created_at, expires_at,
             outcome
         FROM sign_ins WHERE tenant_id = $1 AND id = $2",
        tenant,
        id
    )
    .fetch_optional(db)
    .await
}

/// One guarded statement: of two callers with one `state`, the second finds it taken (A074).
pub(crate) async fn take(
    db: &mut Db,
    tenant: &TenantId,
    state_mac: &[u8],
    now: i64,
) -> Result<Option<SignInRow>> {
    let tenant = tenant.as_str();
    query_as!(
        SignInRow,
        "UPDATE sign_ins SET taken_at = $3
         WHERE tenant_id = $1 AND state_mac = $2 AND taken_at IS NULL AND outcome IS NULL
             AND expires_at > $3
         RETURNING id AS \"id!\", server_id AS \"server_id!\", user_id AS \"user_id!\",
             account AS \"account!\", state_mac AS \"state_mac!\", sealed AS \"sealed!\",
             created_at AS \"created_at!\", expires_at AS \"expires_at!\", outcome",
        tenant,
        state_mac,
        now
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn end(
    db: &mut Db,
    tenant: &TenantId,
    id: &str,
    outcome: &str,
    erased: &[u8],
) -> Result<u64> {
    let tenant = tenant.as_str();
    let done = query!(
        "UPDATE sign_ins SET outcome = $3, sealed = $4
         WHERE tenant_id = $1 AND id = $2 AND outcome IS NULL",
        tenant,
        id,
        outcome,
        erased
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// The tenants with this MAC; more than one only if somebody planted a row.
pub(crate) async fn locate(db: &mut Db, mac: &[u8]) -> Result<Vec<String>> {
    query_scalar!(
        "SELECT tenant_id FROM sign_ins WHERE state_mac = $1 LIMIT 2",
        mac
    )
    .fetch_all(db)
    .await
}
