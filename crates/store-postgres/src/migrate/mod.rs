//! Schema versions: forward only, one transaction for all that is pending, frozen by hash.

use claviger_ports::failpoint_in_task;
use claviger_store::FORMAT;
use sqlx::{AssertSqlSafe, Result, query, query_as, query_scalar, raw_sql};

use crate::db::Db;
use crate::pool::{Pool, Scope};

/// Every migration in order: its name and its statements. Applied ones are frozen.
pub(crate) const MIGRATIONS: [Migration; 4] = [
    ("first", include_str!("../../migrations/0001_first.sql")),
    ("vault", include_str!("../../migrations/0002_vault.sql")),
    ("intents", include_str!("../../migrations/0003_intents.sql")),
    ("needs", include_str!("../../migrations/0004_needs.sql")),
];

type Migration = (&'static str, &'static str);

/// The schema version of this binary.
#[expect(clippy::cast_possible_wrap, reason = "a handful")]
pub(crate) const KNOWN: i64 = MIGRATIONS.len() as i64;

/// What a database says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// This migration was applied with another text.
    Changed(i64),
    /// Ours, with this many migrations applied; what this binary writes is not noted down yet.
    Earlier(i64),
    /// Nothing of ours is in it yet.
    Empty,
    /// This schema, with rows that this binary would misread (F34).
    Later {
        /// The first version that reads them.
        version: String,
    },
    /// A later binary wrote it.
    Newer(i64),
    /// Somebody else's schema.
    NotOurs,
    /// Ours, with this many migrations applied.
    Version(i64),
}

/// Looks, and changes nothing.
pub(crate) async fn inspect(db: &mut Db, migrations: &[Migration]) -> Result<Found> {
    let (is_marked, tables): (bool, i64) = query_as(
        "SELECT to_regclass(own || '.migrations') IS NOT NULL,
             (SELECT count(*) FROM pg_catalog.pg_class WHERE relnamespace = to_regnamespace(own))
         FROM split_part(current_setting('search_path'), ',', 1) AS own",
    )
    .fetch_one(&mut *db)
    .await?;
    if !is_marked {
        return Ok(if tables == 0 {
            Found::Empty
        } else {
            Found::NotOurs
        });
    }
    let texts: Vec<&str> = migrations.iter().map(|(_, text)| *text).collect();
    let (version, changed): (i64, Option<i64>) = query_as(
        "SELECT coalesce(max(applied.version), 0), min(applied.version)
             FILTER (WHERE sha256 <> encode(sha256(convert_to(known.text, 'UTF8')), 'hex'))
         FROM migrations AS applied
         LEFT JOIN unnest($1::text[]) WITH ORDINALITY AS known (text, version) USING (version)",
    )
    .bind(texts)
    .fetch_one(&mut *db)
    .await?;
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    if version > known {
        return Ok(Found::Newer(version));
    }
    if let Some(changed) = changed {
        return Ok(Found::Changed(changed));
    }
    Ok(match needed(db).await? {
        Some((format, version)) if format > FORMAT => Found::Later { version },
        Some((FORMAT, _)) => Found::Version(version),
        _ => Found::Earlier(version),
    })
}

/// What a binary has to know, and the version that first did.
async fn needed(db: &mut Db) -> Result<Option<(i64, String)>> {
    if !has_needs(db).await? {
        return Ok(None);
    }
    query_as("SELECT format, version FROM needs")
        .fetch_optional(db)
        .await
}

/// Notes down what this binary writes from now on.
async fn mark(db: &mut Db) -> Result<()> {
    let known = needed(db).await?.map(|(format, _)| format);
    if known >= Some(FORMAT) || !has_needs(db).await? {
        return Ok(());
    }
    query("DELETE FROM needs").execute(&mut *db).await?;
    query("INSERT INTO needs (format, version) VALUES ($1, $2)")
        .bind(FORMAT)
        .bind(env!("CARGO_PKG_VERSION"))
        .execute(db)
        .await
        .map(drop)
}

async fn has_needs(db: &mut Db) -> Result<bool> {
    query_scalar("SELECT to_regclass('needs') IS NOT NULL")
        .fetch_one(db)
        .await
}

/// Applies what is pending. Killed at any point, the database is as it was before; of two nodes at
/// once, the second waits and then finds nothing to do.
pub(crate) async fn migrate(pool: &Pool, migrations: &[Migration]) -> Result<Found> {
    let mut db = pool.write(Scope::Nobody).await?;
    wait_for_others(&mut db).await?;
    let found = inspect(&mut db, migrations).await?;
    let applied = match found {
        Found::Empty => 0,
        Found::Earlier(applied) | Found::Version(applied) => {
            usize::try_from(applied).unwrap_or(usize::MAX)
        }
        Found::Changed(_) | Found::Later { .. } | Found::Newer(_) | Found::NotOurs => {
            return Ok(found);
        }
    };
    let pending = migrations.get(applied..).unwrap_or_default();
    if pending.is_empty() && matches!(found, Found::Version(_)) {
        return Ok(found);
    }
    let schema = format!("CREATE SCHEMA IF NOT EXISTS {}", pool.schema);
    raw_sql(AssertSqlSafe(schema)).execute(&mut db).await?;
    raw_sql(BEFORE_THE_FIRST).execute(&mut db).await?;
    for (name, text) in pending {
        raw_sql(*text).execute(&mut db).await?;
        query(
            "INSERT INTO migrations (version, name, sha256, applied_at)
             SELECT coalesce(max(version), 0) + 1, $1, encode(sha256(convert_to($2, 'UTF8')), 'hex'),
                 extract(epoch FROM clock_timestamp())::bigint
             FROM migrations",
        )
        .bind(name)
        .bind(text)
        .execute(&mut db)
        .await?;
    }
    mark(&mut db).await?;
    failpoint_in_task!("migrate.before_commit");
    db.commit_uncounted().await?;
    Ok(Found::Version(
        i64::try_from(migrations.len()).unwrap_or(i64::MAX),
    ))
}

/// Lets a role that owns nothing read and write rows, and look which migrations were applied.
pub(crate) async fn grant(pool: &Pool, role: &str) -> Result<()> {
    let mut db = pool.write(Scope::Nobody).await?;
    // Two nodes at once would stand in each other's way in the catalogue.
    wait_for_others(&mut db).await?;
    grant_in(&mut db, role).await?;
    db.commit_uncounted().await
}

/// Nobody else migrates, grants or replaces until this unit ends.
pub(crate) async fn wait_for_others(db: &mut Db) -> Result<()> {
    query(
        "SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', $1, true)",
    )
    .bind(LOCK_TIMEOUT)
    .execute(&mut *db)
    .await?;
    // It ends with the transaction: one of the session would stay behind in PgBouncer.
    query("SELECT pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(db)
        .await
        .map(drop)
}

pub(crate) async fn grant_in(db: &mut Db, role: &str) -> Result<()> {
    let statements: String = query_scalar(
        "SELECT format('GRANT USAGE ON SCHEMA claviger TO %1$I;
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA claviger TO %1$I;
             REVOKE INSERT, UPDATE, DELETE ON claviger.migrations, claviger.needs FROM %1$I;
             GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA claviger TO %1$I', $1::text)",
    )
    .bind(role)
    .fetch_one(&mut *db)
    .await?;
    // The server itself quoted the name of the role.
    raw_sql(AssertSqlSafe(statements))
        .execute(db)
        .await
        .map(drop)
}

/// A node may wait for another one that migrates.
const LOCK_TIMEOUT: &str = "60000";

/// Of all nodes that migrate or grant: `clvg`.
const LOCK: i64 = 0x636c_7667;

/// What migrations are written into.
const BEFORE_THE_FIRST: &str = "
CREATE TABLE IF NOT EXISTS migrations (
    version    BIGINT NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    sha256     TEXT   NOT NULL,
    applied_at BIGINT NOT NULL
)";

#[cfg(test)]
mod tests;
