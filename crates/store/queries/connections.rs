//! Statements of how users stand with servers.

use claviger_model::{Connection, TenantId};
use claviger_store::StoreError;
use sqlx::{Result, query, query_as};

use super::Db;
use super::columns::{credential_key, instant, json, number, text, to_json, to_text};
use super::key::Key;

/// A row of `connections`.
pub(crate) struct ConnectionRow {
    pub(crate) server_id: String,
    pub(crate) user_id: String,
    pub(crate) account: String,
    pub(crate) standing: String,
    pub(crate) reason: Option<String>,
    pub(crate) challenge: Option<String>,
    pub(crate) step_ups: i64,
    pub(crate) updated_at: i64,
}

pub(crate) async fn find(db: &mut Db, key: Key<'_>) -> Result<Option<ConnectionRow>> {
    query_as!(
        ConnectionRow,
        "SELECT server_id, user_id, account, standing, reason, challenge, step_ups, updated_at
         FROM connections
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
) -> Result<Vec<ConnectionRow>> {
    let tenant = tenant.as_str();
    query_as!(
        ConnectionRow,
        "SELECT server_id, user_id, account, standing, reason, challenge, step_ups, updated_at
         FROM connections WHERE tenant_id = $1 AND server_id = $2
         ORDER BY user_id, account",
        tenant,
        server
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn write(db: &mut Db, tenant: &TenantId, row: ConnectionRow) -> Result<()> {
    let tenant = tenant.as_str();
    query!(
        "INSERT INTO connections (tenant_id, server_id, user_id, account, standing, reason,
             challenge, step_ups, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (tenant_id, server_id, user_id, account) DO UPDATE SET
             standing = excluded.standing, reason = excluded.reason,
             challenge = excluded.challenge, step_ups = excluded.step_ups,
             updated_at = excluded.updated_at",
        tenant,
        row.server_id,
        row.user_id,
        row.account,
        row.standing,
        row.reason,
        row.challenge,
        row.step_ups,
        row.updated_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What is stored of it.
pub(crate) fn row(connection: &Connection) -> Result<ConnectionRow, StoreError> {
    let reason = connection.reason.as_ref();
    Ok(ConnectionRow {
        server_id: connection.key.server.as_str().to_owned(),
        user_id: connection.key.user.as_str().to_owned(),
        account: connection.key.account.as_str().to_owned(),
        standing: to_text(&connection.standing, "connections.standing")?,
        reason: reason
            .map(|reason| to_text(reason, "connections.reason"))
            .transpose()?,
        challenge: connection.challenge.as_ref().map(to_json).transpose()?,
        step_ups: i64::from(connection.step_ups),
        updated_at: connection.updated_at.as_secs(),
    })
}

/// What was stored; what does not read is corrupt.
pub(crate) fn read(tenant: &TenantId, row: ConnectionRow) -> Result<Connection, StoreError> {
    let challenge = row.challenge.as_deref();
    Ok(Connection {
        key: credential_key(tenant, row.server_id, row.user_id, row.account)?,
        standing: text(row.standing, "connections.standing")?,
        reason: row
            .reason
            .map(|reason| text(reason, "connections.reason"))
            .transpose()?,
        challenge: challenge
            .map(|challenge| json(challenge, "connections.challenge"))
            .transpose()?,
        step_ups: number(row.step_ups, "connections.step_ups")?,
        updated_at: instant(row.updated_at),
    })
}
