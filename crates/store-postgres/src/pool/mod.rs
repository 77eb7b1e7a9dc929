//! The connections, and the units of work on them.

use core::sync::atomic::AtomicU64;
use core::time::Duration;
use std::sync::Mutex;

use claviger_model::TenantId;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool, Result};

use crate::Settings;
use crate::db::Db;
use crate::error::is_lost;
use crate::open::options;

/// The connections to one database.
#[derive(Debug)]
pub(crate) struct Pool {
    connections: PgPool,
    /// Where our tables are.
    pub(crate) schema: &'static str,
    /// Where everything is read as it was at one instant.
    snapshot: Option<Snapshot>,
    statement_timeout: String,
    lock_timeout: String,
    /// How often somebody asked what changed.
    pub(crate) asked: AtomicU64,
}

/// One instant of the database, for as long as this is kept.
#[derive(Debug)]
struct Snapshot {
    id: String,
    /// The transaction that keeps the instant.
    _keeper: Mutex<Db>,
}

/// Whose rows a unit of work is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope<'a> {
    /// The installation's own: the wrapped keys, the audit log, its one row.
    Installation,
    /// Nobody's: only what the database's own functions tell.
    Nobody,
    /// One tenant's.
    Tenant(&'a TenantId),
}

impl Scope<'_> {
    /// The value of `app.tenant`; no tenant is called like the other two.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Installation => "*",
            Self::Nobody => "",
            Self::Tenant(tenant) => tenant.as_str(),
        }
    }
}

impl Pool {
    /// Connects to nothing yet.
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        Self::of_schema(settings, SCHEMA)
    }

    /// The same, with the tables under another name.
    pub(crate) fn of_schema(settings: &Settings, schema: &'static str) -> Result<Self> {
        let connections = PgPoolOptions::new()
            .max_connections(settings.max_connections)
            .acquire_timeout(settings.acquire_timeout)
            // The first statement tells as well, for no round trip of its own; see `begin`.
            .test_before_acquire(false)
            .connect_lazy_with(options(settings.url.expose())?);
        Ok(Self {
            connections,
            schema,
            snapshot: None,
            statement_timeout: milliseconds(settings.statement_timeout),
            lock_timeout: milliseconds(settings.lock_timeout),
            asked: AtomicU64::new(0),
        })
    }

    /// The same database as it is now, to be read only; several connections see one instant, so
    /// this works behind `PgBouncer` as well.
    pub(crate) async fn snapshot(&self) -> Result<Self> {
        let mut keeper = self.begin(ONE_INSTANT, Scope::Nobody).await?;
        // It has nothing to do for as long as everything is read.
        sqlx::query("SELECT set_config('idle_in_transaction_session_timeout', '0', true)")
            .execute(&mut keeper)
            .await?;
        let id: String = sqlx::query_scalar("SELECT pg_export_snapshot()")
            .fetch_one(&mut keeper)
            .await?;
        let options = self.connections.options().clone();
        let connect = PgConnectOptions::clone(&self.connections.connect_options());
        Ok(Self {
            connections: options.min_connections(0).connect_lazy_with(connect),
            schema: self.schema,
            snapshot: Some(Snapshot {
                id,
                _keeper: Mutex::new(keeper),
            }),
            statement_timeout: self.statement_timeout.clone(),
            lock_timeout: self.lock_timeout.clone(),
            asked: AtomicU64::new(0),
        })
    }

    /// A unit of work that reads; drop it when done.
    pub(crate) async fn read(&self, scope: Scope<'_>) -> Result<Db> {
        self.begin("BEGIN READ ONLY", scope).await
    }

    /// A unit of work that writes; it ends with [`Db::commit`].
    pub(crate) async fn write(&self, scope: Scope<'_>) -> Result<Db> {
        self.begin("BEGIN", scope).await
    }

    pub(crate) async fn close(&self) {
        self.connections.close().await;
    }

    async fn begin(&self, begin: &'static str, scope: Scope<'_>) -> Result<Db> {
        let begin = self.snapshot.as_ref().map_or(begin, |_| ONE_INSTANT);
        let mut dead = 0;
        let transaction = loop {
            match self.connections.begin_with(begin).await {
                // It died while nobody used it (a restart, a failover): nothing was asked of it
                // yet, and the next one may be well. Each is tried once.
                Err(error)
                    if is_lost(&error)
                        && dead < self.connections.options().get_max_connections() =>
                {
                    dead += 1;
                }
                other => break other?,
            }
        };
        let mut db = Db::new(transaction);
        if let Some(Snapshot { id, .. }) = &self.snapshot {
            // The first statement, and one that takes no parameters; the id is PostgreSQL's own.
            let take = format!("SET TRANSACTION SNAPSHOT '{id}'");
            sqlx::query(AssertSqlSafe(take)).execute(&mut db).await?;
        }
        // All of it ends with the transaction: the next one on this connection is somebody else's.
        sqlx::query(
            "SELECT set_config('app.tenant', $1, true),
                 set_config('search_path', $4 || ', pg_temp', true),
                 set_config('statement_timeout', $2, true),
                 set_config('lock_timeout', $3, true),
                 set_config('idle_in_transaction_session_timeout', $2, true)",
        )
        .bind(scope.as_str())
        .bind(&self.statement_timeout)
        .bind(&self.lock_timeout)
        .bind(self.schema)
        .execute(&mut db)
        .await?;
        Ok(db)
    }
}

/// The one that everybody works in.
pub(crate) const SCHEMA: &str = "claviger";

const ONE_INSTANT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

fn milliseconds(duration: Duration) -> String {
    // Zero would be no limit at all.
    duration.as_millis().max(1).to_string()
}

#[cfg(test)]
mod tests;
