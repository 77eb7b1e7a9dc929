//! Migrations against databases of all sorts.

use claviger_crypto::Secret;
use claviger_store::contract::fixtures::{insert_servers, tenant};
use claviger_store::contract::version_1;
use claviger_store::{FORMAT, Store as _};
use claviger_testkit::postgres::{self, Database};

use super::{Found, KNOWN, MIGRATIONS, inspect, migrate};
use crate::pool::{Pool, Scope};
use crate::{OpenError, PostgresStore, Settings};

const NEXT: &str =
    "ALTER TABLE servers ADD COLUMN note TEXT; CREATE TABLE more (tenant_id TEXT PRIMARY KEY)";

fn owners(database: &Database) -> Settings {
    Settings::new(Secret::new(database.owner_url()))
}

fn both(database: &Database) -> Settings {
    let mut settings = Settings::new(Secret::new(database.url()));
    settings.owner_url = Some(Secret::new(database.owner_url()));
    settings
}

fn fresh() -> Option<(Database, Pool)> {
    let database = postgres::database()?;
    let pool = Pool::new(&owners(&database)).unwrap();
    Some((database, pool))
}

async fn look(pool: &Pool, migrations: &[(&'static str, &'static str)]) -> Found {
    let mut db = pool.read(Scope::Nobody).await.unwrap();
    inspect(&mut db, migrations).await.unwrap()
}

const TABLES: &str = "SELECT count(*) FROM pg_tables WHERE schemaname = 'claviger'";

#[tokio::test]
async fn applies_what_is_pending_and_then_nothing() {
    let Some((database, pool)) = fresh() else {
        return;
    };
    assert_eq!(look(&pool, &MIGRATIONS).await, Found::Empty);
    for _ in 0..2 {
        let done = migrate(&pool, &MIGRATIONS).await.unwrap();
        assert_eq!(done, Found::Version(KNOWN));
    }
    let before: i64 = database.query(TABLES).parse().unwrap();
    let next = [&MIGRATIONS[..], &[("next", NEXT)]].concat();
    assert_eq!(look(&pool, &next).await, Found::Version(KNOWN));
    let done = migrate(&pool, &next).await.unwrap();
    assert_eq!(done, Found::Version(KNOWN + 1));
    let after: i64 = database.query(TABLES).parse().unwrap();
    assert_eq!(after, before + 1);
    let applied = "SELECT version, name FROM claviger.migrations ORDER BY 1";
    assert_eq!(
        database.query(applied),
        "1|first\n2|vault\n3|intents\n4|needs\n5|next"
    );
}

#[tokio::test]
async fn a_failing_migration_leaves_nothing_behind() {
    let Some((database, pool)) = fresh() else {
        return;
    };
    let broken = [MIGRATIONS[0], ("second", "CREATE TABLE half (); nonsense")];
    assert!(migrate(&pool, &broken).await.is_err());
    assert_eq!(look(&pool, &MIGRATIONS).await, Found::Empty);
    assert_eq!(database.query(TABLES), "0");
    let done = migrate(&pool, &MIGRATIONS).await.unwrap();
    assert_eq!(done, Found::Version(KNOWN));
}

// An applied migration is frozen: another text under its number is another schema.
#[tokio::test]
async fn refuses_a_migration_that_was_changed() {
    let Some((database, pool)) = fresh() else {
        return;
    };
    migrate(&pool, &MIGRATIONS).await.unwrap();
    let mut changed = MIGRATIONS;
    changed[0].1 = "CREATE TABLE other ()";
    let found = migrate(&pool, &changed).await.unwrap();
    assert_eq!(found, Found::Changed(1));
    database.query("UPDATE claviger.migrations SET sha256 = 'another'");
    for settings in [owners(&database), both(&database)] {
        let refused = PostgresStore::connect(&settings).await.unwrap_err();
        assert!(matches!(refused, OpenError::Changed { version: 1 }));
    }
}

// Released text may not change. Add a line for a new migration; never touch one.
#[tokio::test]
async fn the_migrations_are_those_that_were_released() {
    let Some((database, pool)) = fresh() else {
        return;
    };
    migrate(&pool, &MIGRATIONS).await.unwrap();
    let hashes = database.query("SELECT sha256 FROM claviger.migrations ORDER BY version");
    assert_eq!(hashes.lines().collect::<Vec<_>>(), FROZEN);
}

const FROZEN: [&str; MIGRATIONS.len()] = [
    "1c79021a332da540e13247dc977cd71d40e468e9906cc264f7dadc2141a5829a",
    "68d840028b03a5183973ca758ac363f4de8bd964fb2a92b608f3b340869441b8",
    "fba35749d0b38734a2efd361251f4d138043231c03cfa135c0a31411c92af254",
    "37c15986acbf8891f2747fc08de850bc6bee1dd3a7251adc201f01aed6cf1b2c",
];

// A database that was made by the first version: opened by this one, everything reads as before, and
// the fence stands again.
#[tokio::test]
async fn opens_a_database_of_the_first_version() {
    let Some((database, pool)) = fresh() else {
        return;
    };
    let done = migrate(&pool, &MIGRATIONS[..1]).await.unwrap();
    assert_eq!(done, Found::Version(1));
    for sql in version_1::statements(|bytes| format!("'\\x{}'::bytea", claviger_crypto::hex(bytes)))
    {
        database.query(&format!("SET search_path = claviger; {sql}"));
    }
    let store = PostgresStore::connect(&both(&database)).await.unwrap();
    version_1::check(&store).await;
    let open = "SELECT count(*) FROM pg_class WHERE relnamespace = 'claviger'::regnamespace
         AND relkind = 'r' AND NOT relforcerowsecurity";
    assert_eq!(database.query(open), "2");
}

// A209: an old binary on a new schema changes nothing and says what to do.
#[tokio::test]
async fn a209_refuses_a_newer_schema() {
    let Some((database, pool)) = fresh() else {
        return;
    };
    let later = [&MIGRATIONS[..], &[("next", NEXT)]].concat();
    migrate(&pool, &later).await.unwrap();
    let before = database.query(TABLES);
    let refused = PostgresStore::connect(&both(&database)).await.unwrap_err();
    assert!(
        matches!(refused, OpenError::Newer { found, known: KNOWN } if found == KNOWN + 1),
        "{refused:?}"
    );
    assert!(refused.to_string().contains("update Claviger"), "{refused}");
    assert_eq!(database.query(TABLES), before);
}

// F34: the schema is the same, and a later binary noted down that its rows are not. Only the owner
// notes it down.
#[tokio::test]
async fn f34_refuses_rows_that_it_would_misread_and_notes_down_what_it_writes() {
    let Some((database, _pool)) = fresh() else {
        return;
    };
    PostgresStore::connect(&both(&database)).await.unwrap();
    let noted = || database.query("SELECT format, version FROM claviger.needs");
    let own = format!("{FORMAT}|{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(noted(), own);
    let user = Settings::new(Secret::new(database.url()));
    // By an earlier binary: from now on that one refuses it.
    database.query("UPDATE claviger.needs SET format = 0, version = '0.0.1'");
    let refused = PostgresStore::connect(&user).await.unwrap_err();
    assert!(matches!(refused, OpenError::Denied { .. }), "{refused:?}");
    PostgresStore::connect_as_is(&user).await.unwrap();
    assert_eq!(noted(), "0|0.0.1");
    PostgresStore::connect(&both(&database)).await.unwrap();
    assert_eq!(noted(), own);
    PostgresStore::connect(&user).await.unwrap();
    // By a later one.
    database.query("UPDATE claviger.needs SET format = 99, version = '9.9.9'");
    for settings in [owners(&database), both(&database), user] {
        let all = [
            PostgresStore::connect(&settings).await,
            PostgresStore::connect_as_is(&settings).await,
        ];
        for refused in all {
            let refused = refused.unwrap_err();
            assert!(matches!(refused, OpenError::Later { .. }), "{refused:?}");
            assert!(refused.to_string().contains("Claviger 9.9.9"), "{refused}");
        }
    }
    assert_eq!(noted(), "99|9.9.9");
}

#[tokio::test]
async fn refuses_the_schema_of_another_program() {
    let Some((database, _pool)) = fresh() else {
        return;
    };
    database.query("CREATE SCHEMA claviger CREATE TABLE notes (id BIGINT)");
    database.query("GRANT ALL ON SCHEMA claviger TO PUBLIC");
    for settings in [owners(&database), both(&database)] {
        let refused = PostgresStore::connect(&settings).await.unwrap_err();
        assert!(matches!(refused, OpenError::NotOurs), "{refused:?}");
    }
    assert_eq!(database.query(TABLES), "1");
}

// Many nodes start at once on an empty database, with one role or with two.
#[tokio::test(flavor = "multi_thread")]
async fn many_nodes_may_make_the_schema_at_once() {
    for settings in [owners, both] {
        let Some(database) = postgres::database() else {
            return;
        };
        let settings = settings(&database);
        let open = || PostgresStore::connect(&settings);
        let (a, b, c, d) = tokio::join!(open(), open(), open(), open());
        let first = a.unwrap();
        insert_servers(&first, "t1").await;
        for store in [b, c, d] {
            let rows = store.unwrap().tenant(&tenant("t1"));
            assert_eq!(rows.list_servers().await.unwrap().len(), 2);
        }
    }
}
