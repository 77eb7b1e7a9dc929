//! Schema versions: forward only, one transaction for all that is pending.

use claviger_ports::failpoint_in_task;
use sqlx::{AssertSqlSafe, Connection as _, query_scalar, raw_sql};

use crate::db::Db;

/// Marks the file as ours: `clvg`.
pub(crate) const APPLICATION_ID: i64 = 0x636c_7667;

/// Every migration in order; applied ones are frozen.
pub(crate) const MIGRATIONS: [&str; 3] = [
    include_str!("../../migrations/0001_first.sql"),
    include_str!("../../migrations/0002_vault.sql"),
    include_str!("../../migrations/0003_intents.sql"),
];

/// The schema version of this binary.
#[expect(clippy::cast_possible_wrap, reason = "a handful")]
pub(crate) const KNOWN: i64 = MIGRATIONS.len() as i64;

/// What a file says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing is in it yet.
    Empty,
    /// A later binary wrote it.
    Newer(i64),
    /// Somebody else's.
    NotOurs,
    /// Ours, with this many migrations applied.
    Version(i64),
}

/// Looks, and changes nothing. Call it inside a transaction: the three numbers belong together.
pub(crate) async fn inspect(db: &mut Db, known: i64) -> sqlx::Result<Found> {
    let application: i64 = query_scalar("PRAGMA application_id")
        .fetch_one(&mut *db)
        .await?;
    let version: i64 = query_scalar("PRAGMA user_version")
        .fetch_one(&mut *db)
        .await?;
    let tables: i64 = query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(db)
        .await?;
    Ok(match (application, version, tables) {
        (0, 0, 0) => Found::Empty,
        (APPLICATION_ID, version, _) if version > known => Found::Newer(version),
        (APPLICATION_ID, version, _) => Found::Version(version),
        _ => Found::NotOurs,
    })
}

/// Applies what is pending. Killed at any point, the file is as it was before; two processes at
/// once apply it once, since the second looks again after it got the lock.
pub(crate) async fn migrate(db: &mut Db, migrations: &[&'static str]) -> sqlx::Result<Found> {
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    let mut transaction = db.begin_with("BEGIN IMMEDIATE").await?;
    let found = inspect(&mut transaction, known).await?;
    let applied = match found {
        Found::Empty => 0,
        Found::Version(applied) => applied,
        Found::Newer(_) | Found::NotOurs => return Ok(found),
    };
    let pending = usize::try_from(applied)
        .ok()
        .and_then(|applied| migrations.get(applied..))
        .unwrap_or_default();
    if pending.is_empty() {
        return Ok(found);
    }
    for migration in pending {
        raw_sql(*migration).execute(&mut *transaction).await?;
    }
    // Both numbers are part of the transaction. They are ours, so nothing can be injected.
    let marks = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {known};");
    raw_sql(AssertSqlSafe(marks))
        .execute(&mut *transaction)
        .await?;
    failpoint_in_task!("migrate.before_commit");
    transaction.commit().await?;
    Ok(Found::Version(known))
}

#[cfg(test)]
mod tests;
