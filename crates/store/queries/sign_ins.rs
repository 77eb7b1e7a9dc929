//! Statements of sign-ins in flight.

use claviger_model::{Outcome, SignIn, TenantId};
use claviger_store::StoreError;
use sqlx::{Result, query, query_as};

use super::Db;
use super::columns::{credential_key, instant, text, to_text};
use super::generation::of_record;
use super::key::Key;

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

/// What is sealed goes with the end: nobody can take it any more. A code is exchanged within 45 s,
/// or its process died meanwhile (F04): the person may begin anew.
pub(crate) async fn end_expired(
    db: &mut Db,
    key: Key<'_>,
    now: i64,
    outcome: &str,
    erased: &[u8],
) -> Result<()> {
    query!(
        "UPDATE sign_ins SET outcome = $6, sealed = $7, key_generation = NULL
         WHERE tenant_id = $1 AND server_id = $2 AND user_id = $3 AND account = $4
             AND outcome IS NULL AND (expires_at <= $5 OR taken_at <= $5 - 45)",
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
    let (tenant, generation) = (tenant.as_str(), of_record(&row.sealed));
    query!(
        "INSERT INTO sign_ins (tenant_id, id, server_id, user_id, account, state_mac, sealed,
             created_at, expires_at, taken_at, outcome, key_generation)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, NULL, $10, $11)",
        tenant,
        row.id,
        row.server_id,
        row.user_id,
        row.account,
        row.state_mac,
        row.sealed,
        row.created_at,
        row.expires_at,
        row.outcome,
        generation
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
             AND outcome IS NULL AND expires_at > $5
             AND (taken_at IS NULL OR taken_at > $5 - 45)",
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
        "UPDATE sign_ins SET outcome = $3, sealed = $4, key_generation = NULL
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

/// Of the key it was begun for, and of no other.
pub(crate) async fn end_of_key(
    db: &mut Db,
    key: Key<'_>,
    id: &str,
    outcome: &str,
    erased: &[u8],
) -> Result<u64> {
    let done = query!(
        "UPDATE sign_ins SET outcome = $6, sealed = $7, key_generation = NULL
         WHERE tenant_id = $1 AND id = $5 AND outcome IS NULL
             AND server_id = $2 AND user_id = $3 AND account = $4",
        key.tenant,
        key.server,
        key.user,
        key.account,
        id,
        outcome,
        erased
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// An outcome as it is stored.
pub(crate) fn word(outcome: Outcome) -> Result<String, StoreError> {
    to_text(&outcome, "sign_ins.outcome")
}

/// What is stored of it.
pub(crate) fn row(sign_in: &SignIn) -> Result<SignInRow, StoreError> {
    Ok(SignInRow {
        id: sign_in.id.as_str().to_owned(),
        server_id: sign_in.key.server.as_str().to_owned(),
        user_id: sign_in.key.user.as_str().to_owned(),
        account: sign_in.key.account.as_str().to_owned(),
        state_mac: sign_in.state_mac.clone(),
        sealed: sign_in.sealed.clone(),
        created_at: sign_in.created_at.as_secs(),
        expires_at: sign_in.expires_at.as_secs(),
        outcome: sign_in.outcome.map(word).transpose()?,
    })
}

/// What was stored; what does not read is corrupt.
pub(crate) fn read(tenant: &TenantId, row: SignInRow) -> Result<SignIn, StoreError> {
    Ok(SignIn {
        id: text(row.id, "sign_ins.id")?,
        key: credential_key(tenant, row.server_id, row.user_id, row.account)?,
        state_mac: row.state_mac,
        sealed: row.sealed,
        created_at: instant(row.created_at),
        expires_at: instant(row.expires_at),
        outcome: row
            .outcome
            .map(|outcome| text(outcome, "sign_ins.outcome"))
            .transpose()?,
    })
}

/// What is left of the sealed part after the end.
pub(crate) const ERASED: &[u8] = &[];
