//! Where a database is: a file in a folder, or on a server.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use claviger_crypto::Secret;
use claviger_store::Store;
use claviger_store_postgres::{PostgresStore, Settings};
use claviger_store_sqlite::SqliteStore;
use claviger_testkit::postgres::{Database, Server};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgPool, SqlitePool};
use tempfile::TempDir;

/// One of the two backends.
pub(crate) enum Place<'a> {
    Postgres(&'a Server),
    Sqlite(TempDir),
}

/// One database.
pub(crate) enum Home {
    Postgres(Database),
    Sqlite(PathBuf),
}

/// Plain connections to it, without anything of ours.
pub(crate) enum Plain {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

// === impl Place ===

impl<'a> Place<'a> {
    pub(crate) fn sqlite() -> Result<Self> {
        Ok(Self::Sqlite(tempfile::tempdir().context("no folder")?))
    }

    pub(crate) const fn postgres(server: &'a Server) -> Self {
        Self::Postgres(server)
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "PostgreSQL",
            Self::Sqlite(_) => "SQLite",
        }
    }

    pub(crate) fn home(&self, name: &str) -> Home {
        match self {
            Self::Postgres(server) => Home::Postgres(server.database()),
            Self::Sqlite(folder) => Home::Sqlite(folder.path().join(format!("{name}.db"))),
        }
    }
}

// === impl Home ===

impl Home {
    pub(crate) async fn open(&self) -> Result<Arc<dyn Store>> {
        match self {
            Self::Postgres(database) => {
                let mut settings = Settings::new(Secret::new(database.url()));
                settings.owner_url = Some(Secret::new(database.owner_url()));
                Ok(Arc::new(PostgresStore::connect(&settings).await?))
            }
            Self::Sqlite(path) => Ok(Arc::new(SqliteStore::open(path).await?)),
        }
    }

    /// Copies the one credential there is `count` times, all in one transaction that nobody waits
    /// for: how they came there is not measured.
    pub(crate) async fn copy_credential(&self, count: u32) -> Result<()> {
        match self {
            Self::Postgres(database) => {
                let copies = copies(&format!("generate_series(1, {count}) AS n (n)"));
                database.query(&copies.replace("credentials", "claviger.credentials"));
                database.query("ANALYZE claviger.credentials");
                database.query("CHECKPOINT");
            }
            Self::Sqlite(path) => {
                let counted = format!(
                    "(WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n
                      WHERE n < {count}) SELECT n FROM n) AS n"
                );
                let options = SqliteConnectOptions::new().filename(path);
                let mut db = options
                    .synchronous(SqliteSynchronous::Off)
                    .connect()
                    .await?;
                sqlx::query(AssertSqlSafe(copies(&counted)))
                    .execute(&mut db)
                    .await?;
                sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
                    .execute(&mut db)
                    .await?;
                db.close().await?;
            }
        }
        Ok(())
    }

    /// As many connections as the store has, with the same durability.
    pub(crate) async fn plain(&self) -> Result<Plain> {
        match self {
            Self::Postgres(database) => {
                let url: PgConnectOptions = database.admin_url().parse()?;
                let pool = PgPoolOptions::new().max_connections(10).connect_with(url);
                Ok(Plain::Postgres(pool.await?))
            }
            Self::Sqlite(path) => {
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full);
                // SQLite has one writer; further connections would wait for it by polling.
                let pool = SqlitePoolOptions::new().max_connections(1);
                Ok(Plain::Sqlite(pool.connect_with(options).await?))
            }
        }
    }
}

fn copies(numbers: &str) -> String {
    let rest = "account, version, fingerprint, issuer, token_endpoint, revocation_endpoint,
        resource, registration_id, scopes_requested, scopes_granted, obtained_at, expires_at,
        is_refreshable, sealed, key_generation";
    format!(
        "INSERT INTO credentials (tenant_id, server_id, user_id, {rest})
         SELECT tenant_id, server_id, 'stored-' || n.n, {rest} FROM credentials, {numbers}
         WHERE user_id = 'u0'"
    )
}
