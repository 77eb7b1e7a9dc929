//! Schema versions: forward only, one transaction for all that is pending.

use claviger_ports::failpoint_in_task;
use claviger_store::FORMAT;
use sqlx::{AssertSqlSafe, Connection as _, query, query_as, query_scalar, raw_sql};

use crate::db::Db;

/// Marks the file as ours: `clvg`.
pub(crate) const APPLICATION_ID: i64 = 0x636c_7667;

/// Every migration in order; applied ones are frozen.
pub(crate) const MIGRATIONS: [&str; 4] = [
    include_str!("../../migrations/0001_first.sql"),
    include_str!("../../migrations/0002_vault.sql"),
    include_str!("../../migrations/0003_intents.sql"),
    include_str!("../../migrations/0004_needs.sql"),
];

/// The schema version of this binary.
#[expect(clippy::cast_possible_wrap, reason = "a handful")]
pub(crate) const KNOWN: i64 = MIGRATIONS.len() as i64;

/// What a file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing is in it yet.
    Empty,
    /// This schema, with rows that this binary would misread (F34).
    Later {
        /// The first version that reads them.
        version: String,
    },
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
        .fetch_one(&mut *db)
        .await?;
    Ok(match (application, version, tables) {
        (0, 0, 0) => Found::Empty,
        (APPLICATION_ID, version, _) if version > known => Found::Newer(version),
        (APPLICATION_ID, version, _) => match needed(db).await? {
            Some((format, version)) if format > FORMAT => Found::Later { version },
            _ => Found::Version(version),
        },
        _ => Found::NotOurs,
    })
}

/// What a binary has to know, and the version that first did.
async fn needed(db: &mut Db) -> sqlx::Result<Option<(i64, String)>> {
    let tables: i64 = query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = 'needs'")
        .fetch_one(&mut *db)
        .await?;
    if tables == 0 {
        return Ok(None);
    }
    query_as("SELECT format, version FROM needs")
        .fetch_optional(db)
        .await
}

/// Notes down what this binary writes from now on. Says whether that is news.
async fn mark(db: &mut Db) -> sqlx::Result<bool> {
    let tables: i64 = query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = 'needs'")
        .fetch_one(&mut *db)
        .await?;
    let known = needed(db).await?.map(|(format, _)| format);
    if tables == 0 || known >= Some(FORMAT) {
        return Ok(false);
    }
    query("DELETE FROM needs").execute(&mut *db).await?;
    query("INSERT INTO needs (format, version) VALUES ($1, $2)")
        .bind(FORMAT)
        .bind(env!("CARGO_PKG_VERSION"))
        .execute(db)
        .await?;
    Ok(true)
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
        Found::Later { .. } | Found::Newer(_) | Found::NotOurs => return Ok(found),
    };
    let pending = usize::try_from(applied)
        .ok()
        .and_then(|applied| migrations.get(applied..))
        .unwrap_or_default();
    if pending.is_empty() {
        if mark(&mut transaction).await? {
            transaction.commit().await?;
        }
        return Ok(found);
    }
    for migration in pending {
        raw_sql(*migration).execute(&mut *transaction).await?;
    }
    mark(&mut transaction).await?;
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
