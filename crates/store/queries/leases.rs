//! Statements of leases. The time is given, and was read in the same transaction.

use sqlx::{Result, query, query_scalar};

use super::Db;
use super::key::Key;

pub(crate) async fn acquire(
    db: &mut Db,
    key: Key<'_>,
    owner: &str,
    now_ms: i64,
    expires_at_ms: i64,
) -> Result<Option<i64>> {
    query_scalar!(
        "INSERT INTO leases (tenant_id, server_id, user_id, account, owner, epoch, expires_at_ms)
         VALUES ($1, $2, $3, $4, $5, 1, $7)
         ON CONFLICT (tenant_id, server_id, user_id, account) DO UPDATE SET
             owner = excluded.owner, expires_at_ms = excluded.expires_at_ms,
             epoch = CASE WHEN leases.owner = excluded.owner THEN leases.epoch
                 ELSE leases.epoch + 1 END
         WHERE leases.expires_at_ms <= $6 OR leases.owner = excluded.owner
         RETURNING epoch AS \"epoch!: i64\"",
        key.tenant,
        key.server,
        key.user,
        key.account,
        owner,
        now_ms,
        expires_at_ms
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn release(db: &mut Db, key: Key<'_>, owner: &str, epoch: i64) -> Result<u64> {
    let done = query!(
        "UPDATE leases SET expires_at_ms = 0
         WHERE tenant_id = $1 AND server_id = $2 AND user_id = $3 AND account = $4
             AND owner = $5 AND epoch = $6",
        key.tenant,
        key.server,
        key.user,
        key.account,
        owner,
        epoch
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// What the holder is said to have been about to send; nothing if `owner` and `epoch` are not those
/// of the last holder.
pub(crate) async fn find_sent(
    db: &mut Db,
    key: Key<'_>,
    owner: &str,
    epoch: i64,
) -> Result<Option<Option<Vec<u8>>>> {
    query_scalar!(
        "SELECT sent FROM leases
         WHERE tenant_id = $1 AND server_id = $2 AND user_id = $3 AND account = $4
             AND owner = $5 AND epoch = $6",
        key.tenant,
        key.server,
        key.user,
        key.account,
        owner,
        epoch
    )
    .fetch_optional(db)
    .await
}

/// Guarded by the lease and by the token: whoever was overtaken declares nothing.
pub(crate) async fn declare(
    db: &mut Db,
    key: Key<'_>,
    owner: &str,
    epoch: i64,
    sent: &[u8],
) -> Result<u64> {
    let done = query!(
        "UPDATE leases SET sent = $7
         WHERE tenant_id = $1 AND server_id = $2 AND user_id = $3 AND account = $4
             AND owner = $5 AND epoch = $6
             AND EXISTS (SELECT 1 FROM credentials AS held
                 WHERE held.tenant_id = $1 AND held.server_id = $2 AND held.user_id = $3
                     AND held.account = $4 AND held.fingerprint = $7)",
        key.tenant,
        key.server,
        key.user,
        key.account,
        owner,
        epoch,
        sent
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Guarded the same way: a late one takes nobody else's away.
pub(crate) async fn withdraw(
    db: &mut Db,
    key: Key<'_>,
    owner: &str,
    epoch: i64,
    sent: &[u8],
) -> Result<u64> {
    let done = query!(
        "UPDATE leases SET sent = NULL
         WHERE tenant_id = $1 AND server_id = $2 AND user_id = $3 AND account = $4
             AND owner = $5 AND epoch = $6 AND sent = $7",
        key.tenant,
        key.server,
        key.user,
        key.account,
        owner,
        epoch,
        sent
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
