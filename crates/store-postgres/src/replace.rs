//! One database in place of another, at once: it is made beside it, in a schema that nobody opens, and
//! then both change their names in one transaction. What was there stays, under a name of its own.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Result, query, query_scalar, raw_sql};

use crate::db::Db;
use crate::migrate::{Found, MIGRATIONS, grant_in, inspect, migrate, wait_for_others};
use crate::open::Role;
use crate::pool::{Pool, SCHEMA, Scope};
use crate::store::{accept, as_owner};
use crate::{OpenError, PostgresStore, Settings};

/// A database that is not in its place yet. Dropped without [`Replacement::take_place`], it stays
/// behind until the next one is begun.
#[derive(Debug)]
pub struct Replacement {
    /// The transaction that keeps others from the same, and puts it in place.
    keeper: Db,
    staged: Arc<Pool>,
    role: String,
}

// === impl PostgresStore ===

impl PostgresStore {
    /// Whether anybody else works on the database with our role: every node asks what changed
    /// several times a second, so whoever asks nothing in a second and a half is none.
    pub async fn is_in_use(settings: &Settings) -> Result<bool, OpenError> {
        let failed = OpenError::of("of the URL");
        let pool = Pool::new(settings).map_err(failed)?;
        let mut db = pool.read(Scope::Nobody).await.map_err(failed)?;
        let others = watch_others(&mut db).await.map_err(failed)?;
        drop(db);
        pool.close().await;
        Ok(others > 0)
    }

    /// Begins an empty database beside the one that is there. Refuses another program's schema.
    pub async fn begin_replacement(settings: &Settings) -> Result<Replacement, OpenError> {
        let failed = OpenError::of("of the URL");
        let pool = Pool::new(settings).map_err(failed)?;
        let mut db = pool.read(Scope::Nobody).await.map_err(failed)?;
        let role = Role::find(&mut db).await.map_err(failed)?;
        drop(db);
        pool.close().await;
        role.accept()?;
        let owners = match &settings.owner_url {
            Some(owner) => as_owner(settings, owner),
            None => settings.clone(),
        };
        let failed = OpenError::of("of the owner's URL");
        let owner = Pool::new(&owners).map_err(failed)?;
        let mut db = owner.read(Scope::Nobody).await.map_err(failed)?;
        let found = inspect(&mut db, &MIGRATIONS).await.map_err(failed)?;
        drop(db);
        if found == Found::NotOurs {
            return Err(OpenError::NotOurs);
        }
        let keeper = keep_alone(&owner).await.map_err(failed)?;
        let keeper = keeper.ok_or(OpenError::Replacing)?;
        let staged = Pool::of_schema(&owners, STAGED).map_err(failed)?;
        clear(&staged).await.map_err(failed)?;
        accept(migrate(&staged, &MIGRATIONS).await.map_err(failed)?)?;
        let mut db = staged.write(Scope::Nobody).await.map_err(failed)?;
        point_functions(&mut db, STAGED).await.map_err(failed)?;
        db.commit_uncounted().await.map_err(failed)?;
        Ok(Replacement {
            keeper,
            staged: Arc::new(staged),
            role: role.name,
        })
    }
}

// === impl Replacement ===

impl Replacement {
    /// The empty database, to be filled.
    pub fn store(&self) -> PostgresStore {
        PostgresStore {
            pool: Arc::clone(&self.staged),
        }
    }

    /// Puts it in place, and answers the schema in which what was there is now; `None` if nothing
    /// was. Whoever still works on it from now on works on the new one.
    pub async fn take_place(self) -> Result<Option<String>, OpenError> {
        let failed = OpenError::of("of the owner's URL");
        self.staged.close().await;
        swap(self.keeper, &self.role).await.map_err(failed)
    }

    /// Takes it away again; what is there stays as it is.
    pub async fn give_up(self) -> Result<(), OpenError> {
        let failed = OpenError::of("of the owner's URL");
        clear(&self.staged).await.map_err(failed)?;
        self.staged.close().await;
        Ok(())
    }
}

async fn swap(mut db: Db, role: &str) -> Result<Option<String>> {
    wait_for_others(&mut db).await?;
    let aside: Option<String> = query_scalar(
        "SELECT $1 || '_before_restore_' || to_char(clock_timestamp() AT TIME ZONE 'UTC',
             'YYYYMMDD_HH24MISS_US') WHERE to_regnamespace($1) IS NOT NULL",
    )
    .bind(SCHEMA)
    .fetch_optional(&mut db)
    .await?;
    if let Some(aside) = &aside {
        let statements: String = query_scalar(
            "SELECT format('ALTER SCHEMA %I RENAME TO %I; REVOKE ALL ON SCHEMA %2$I FROM %3$I',
                 $1::text, $2::text, $3::text)",
        )
        .bind(SCHEMA)
        .bind(aside)
        .bind(role)
        .fetch_one(&mut db)
        .await?;
        // The server itself quoted the names. Functions that are moved aside go on to look into
        // the usual name, for the day they get it back.
        raw_sql(AssertSqlSafe(statements)).execute(&mut db).await?;
    }
    let rename = format!("ALTER SCHEMA {STAGED} RENAME TO {SCHEMA}");
    raw_sql(AssertSqlSafe(rename)).execute(&mut db).await?;
    point_functions(&mut db, SCHEMA).await?;
    grant_in(&mut db, role).await?;
    db.commit_uncounted().await?;
    Ok(aside)
}

/// A transaction for as long as a replacement takes; `None` where somebody else has one.
async fn keep_alone(owner: &Pool) -> Result<Option<Db>> {
    let mut keeper = owner.write(Scope::Nobody).await?;
    // It has nothing to do while everything is copied.
    query("SELECT set_config('idle_in_transaction_session_timeout', '0', true)")
        .execute(&mut keeper)
        .await?;
    let is_alone: bool = query_scalar("SELECT pg_try_advisory_xact_lock($1)")
        .bind(LOCK)
        .fetch_one(&mut keeper)
        .await?;
    Ok(is_alone.then_some(keeper))
}

/// How many other sessions of our role asked something while we waited.
async fn watch_others(db: &mut Db) -> Result<i64> {
    let since: String = query_scalar("SELECT clock_timestamp()::text")
        .fetch_one(&mut *db)
        .await?;
    query("SELECT pg_sleep(1.5)").execute(&mut *db).await?;
    query_scalar(
        "SELECT count(*) FROM pg_catalog.pg_stat_activity
         WHERE datname = current_database() AND usename = current_user
             AND pid <> pg_backend_pid() AND query_start > $1::timestamptz",
    )
    .bind(since)
    .fetch_one(db)
    .await
}

/// Takes away what a replacement that broke off left behind.
async fn clear(staged: &Pool) -> Result<()> {
    let mut db = staged.write(Scope::Nobody).await?;
    wait_for_others(&mut db).await?;
    let drop = format!("DROP SCHEMA IF EXISTS {STAGED} CASCADE");
    raw_sql(AssertSqlSafe(drop)).execute(&mut db).await?;
    db.commit_uncounted().await
}

/// Lets the functions of a schema look into that one. Migrations write the usual name into them.
async fn point_functions(db: &mut Db, schema: &str) -> Result<()> {
    let statements: Option<String> = query_scalar(
        "SELECT string_agg(format('ALTER FUNCTION %s SET search_path = %I, pg_temp',
                 oid::regprocedure, $1::text), ';')
         FROM pg_catalog.pg_proc WHERE pronamespace = to_regnamespace($1)",
    )
    .bind(schema)
    .fetch_one(&mut *db)
    .await?;
    // The server itself quoted the names.
    let statements = statements.unwrap_or_default();
    raw_sql(AssertSqlSafe(statements))
        .execute(db)
        .await
        .map(drop)
}

/// Nobody opens a schema of this name.
const STAGED: &str = "claviger_restoring";

/// Of whoever replaces: `clvr`.
const LOCK: i64 = 0x636c_7672;

#[cfg(test)]
mod tests {
    use claviger_crypto::Secret;
    use claviger_store::Store as _;
    use claviger_store::contract::fixtures::{insert_servers, tenant};
    use claviger_testkit::postgres;

    use super::*;

    #[tokio::test]
    async fn f33_one_at_a_time_replaces_and_what_broke_off_leaves_no_trace() {
        let Some(database) = postgres::database() else {
            return;
        };
        let mut settings = Settings::new(Secret::new(database.url()));
        settings.owner_url = Some(Secret::new(database.owner_url()));
        let before = PostgresStore::connect(&settings).await.unwrap();
        insert_servers(&before, "t1").await;
        before.close().await;
        let begin = || PostgresStore::begin_replacement(&settings);
        let first = begin().await.unwrap();
        insert_servers(&first.store(), "t2").await;
        let second = begin().await;
        assert!(matches!(second, Err(OpenError::Replacing)), "{second:?}");
        // As if its process were killed.
        drop(first);
        let again = begin().await.unwrap();
        assert_eq!(again.store().list_tenants().await.unwrap(), []);
        again.give_up().await.unwrap();
        let schemas = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'claviger%'";
        assert_eq!(database.query(schemas), "claviger");

        let last = begin().await.unwrap();
        insert_servers(&last.store(), "t3").await;
        let aside = last.take_place().await.unwrap().unwrap();
        let store = PostgresStore::connect(&settings).await.unwrap();
        assert_eq!(store.list_tenants().await.unwrap(), [tenant("t3")]);
        let kept = format!("SELECT DISTINCT tenant_id FROM {aside}.servers");
        assert_eq!(database.query(&kept), "t1");
    }
}
