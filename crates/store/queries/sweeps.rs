//! Statements that take away what has done its duty.

use claviger_model::TenantId;
use sqlx::{Result, query};

use super::Db;

/// Sign-ins that ended, or whose time is over, and that began before `before`.
pub(crate) async fn delete_sign_ins(
    db: &mut Db,
    tenant: &TenantId,
    now: i64,
    before: i64,
) -> Result<u64> {
    let tenant = tenant.as_str();
    let done = query!(
        "DELETE FROM sign_ins
         WHERE tenant_id = $1 AND (outcome IS NOT NULL OR expires_at <= $2) AND created_at < $3",
        tenant,
        now,
        before
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn end_sign_ins(
    db: &mut Db,
    tenant: &TenantId,
    now: i64,
    outcome: &str,
    erased: &[u8],
) -> Result<u64> {
    let tenant = tenant.as_str();
    let done = query!(
        "UPDATE sign_ins SET outcome = $3, sealed = $4, key_generation = NULL
         WHERE tenant_id = $1 AND outcome IS NULL AND expires_at <= $2",
        tenant,
        now,
        outcome,
        erased
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Which client a sign-in uses is sealed, so any open one of the server keeps all of its clients.
pub(crate) async fn delete_registrations(db: &mut Db, tenant: &TenantId) -> Result<u64> {
    let tenant = tenant.as_str();
    let done = query!(
        "DELETE FROM registrations
         WHERE tenant_id = $1 AND is_current = 0
             AND NOT EXISTS (SELECT 1 FROM credentials AS c
                 WHERE c.tenant_id = registrations.tenant_id
                     AND c.server_id = registrations.server_id
                     AND c.registration_id = registrations.id)
             AND NOT EXISTS (SELECT 1 FROM sign_ins AS s
                 WHERE s.tenant_id = registrations.tenant_id
                     AND s.server_id = registrations.server_id AND s.outcome IS NULL)",
        tenant
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn delete_api_tokens(db: &mut Db, tenant: &TenantId, before: i64) -> Result<u64> {
    let tenant = tenant.as_str();
    let done = query!(
        "DELETE FROM api_tokens WHERE tenant_id = $1 AND expires_at < $2",
        tenant,
        before
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
