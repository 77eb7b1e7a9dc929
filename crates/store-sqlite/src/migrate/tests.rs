//! Migrations against files of all sorts.

use std::path::Path;
use std::process::Command;
use std::{env, fs, process};

use claviger_store::FORMAT;
use claviger_store::contract::version_1;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection, query_scalar, raw_sql,
};
use tempfile::TempDir;

use super::{APPLICATION_ID, Found, KNOWN, MIGRATIONS, inspect, migrate};
use crate::open::{probing, writing};
use crate::{OpenError, SqliteStore, file};

const NEXT: &str = "ALTER TABLE servers ADD COLUMN note TEXT; CREATE TABLE more (id TEXT) STRICT";

async fn fresh() -> (TempDir, SqliteConnection) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.db");
    file::prepare(&path).unwrap();
    let db = writing(&path).connect().await.unwrap();
    (dir, db)
}

async fn tables(db: &mut SqliteConnection) -> i64 {
    query_scalar("SELECT count(*) FROM sqlite_schema WHERE type = 'table'")
        .fetch_one(db)
        .await
        .unwrap()
}

#[tokio::test]
async fn applies_what_is_pending_and_then_nothing() {
    let (_dir, mut db) = fresh().await;
    assert_eq!(inspect(&mut db, 1).await.unwrap(), Found::Empty);
    for _ in 0..2 {
        let done = migrate(&mut db, &MIGRATIONS).await.unwrap();
        assert_eq!(done, Found::Version(KNOWN));
    }
    let before = tables(&mut db).await;
    let next = [&MIGRATIONS[..], &[NEXT]].concat();
    let done = migrate(&mut db, &next).await.unwrap();
    assert_eq!(done, Found::Version(KNOWN + 1));
    assert_eq!(tables(&mut db).await, before + 1);
}

#[tokio::test]
async fn every_table_is_strict_and_every_unique_index_starts_with_the_tenant() {
    let (_dir, mut db) = fresh().await;
    migrate(&mut db, &MIGRATIONS).await.unwrap();
    let loose: Vec<String> = query_scalar(
        "SELECT name FROM pragma_table_list
         WHERE schema = 'main' AND name NOT LIKE 'sqlite_%' AND strict = 0",
    )
    .fetch_all(&mut db)
    .await
    .unwrap();
    assert!(loose.is_empty(), "{loose:?}");
    let first_columns: Vec<String> = query_scalar(
        "SELECT c.name FROM pragma_table_list AS t, pragma_index_list(t.name) AS i,
             pragma_index_info(i.name) AS c
         WHERE t.schema = 'main' AND i.\"unique\" = 1 AND c.seqno = 0",
    )
    .fetch_all(&mut db)
    .await
    .unwrap();
    assert!(first_columns.len() >= 12, "{first_columns:?}");
    // Chains of the audit log go through all tenants.
    let others = first_columns.iter().filter(|name| *name != "tenant_id");
    assert_eq!(others.collect::<Vec<_>>(), ["chain"]);
}

#[tokio::test]
async fn a_failing_migration_leaves_nothing_behind() {
    let (_dir, mut db) = fresh().await;
    let broken = [
        MIGRATIONS[0],
        "CREATE TABLE half (id TEXT) STRICT; nonsense",
    ];
    assert!(migrate(&mut db, &broken).await.is_err());
    assert_eq!(inspect(&mut db, 2).await.unwrap(), Found::Empty);
    assert_eq!(
        migrate(&mut db, &MIGRATIONS).await.unwrap(),
        Found::Version(KNOWN)
    );
}

// A file that was made by the first version: opened by this one, everything in it reads as before.
#[tokio::test]
async fn opens_a_file_of_the_first_version() {
    let (dir, mut db) = fresh().await;
    let done = migrate(&mut db, &MIGRATIONS[..1]).await.unwrap();
    assert_eq!(done, Found::Version(1));
    for sql in version_1::statements(|bytes| format!("x'{}'", claviger_crypto::hex(bytes))) {
        raw_sql(AssertSqlSafe(sql)).execute(&mut db).await.unwrap();
    }
    db.close().await.unwrap();
    let store = SqliteStore::open(&dir.path().join("c.db")).await.unwrap();
    version_1::check(&store).await;
    let loose: Option<String> = query_scalar("SELECT \"table\" FROM pragma_foreign_key_check")
        .fetch_optional(&mut *store.pool.writer().await.unwrap())
        .await
        .unwrap();
    assert_eq!(loose, None);
}

// A209: an old binary on a new schema changes nothing and says what to do.
#[tokio::test]
async fn a209_refuses_a_newer_schema() {
    let (dir, mut db) = fresh().await;
    migrate(&mut db, &[&MIGRATIONS[..], &[NEXT]].concat())
        .await
        .unwrap();
    db.close().await.unwrap();
    let path = dir.path().join("c.db");
    let before = fs::read(&path).unwrap();
    let refused = SqliteStore::open(&path).await.unwrap_err();
    assert!(
        matches!(refused, OpenError::Newer { found, known: KNOWN } if found == KNOWN + 1),
        "{refused}"
    );
    assert!(refused.to_string().contains("update Claviger"), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

// F34: the schema is the same, and a later binary noted down that its rows are not.
#[tokio::test]
async fn f34_refuses_rows_that_it_would_misread_and_notes_down_what_it_writes() {
    let (dir, mut db) = fresh().await;
    migrate(&mut db, &MIGRATIONS).await.unwrap();
    let noted = "SELECT format || ' ' || version FROM needs";
    let own = format!("{FORMAT} {}", env!("CARGO_PKG_VERSION"));
    let found: String = query_scalar(noted).fetch_one(&mut db).await.unwrap();
    assert_eq!(found, own);
    // By an earlier binary: from now on that one refuses it.
    let earlier = "UPDATE needs SET format = 0, version = '0.0.1'";
    raw_sql(earlier).execute(&mut db).await.unwrap();
    let path = dir.path().join("c.db");
    SqliteStore::open(&path)
        .await
        .unwrap()
        .close()
        .await
        .unwrap();
    let found: Vec<String> = query_scalar(noted).fetch_all(&mut db).await.unwrap();
    assert_eq!(found, [own]);
    // By a later one.
    let later = "UPDATE needs SET format = 99, version = '9.9.9'";
    raw_sql(later).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    let before = fs::read(&path).unwrap();
    let refused = SqliteStore::open(&path).await.unwrap_err();
    assert!(matches!(refused, OpenError::Later { .. }), "{refused}");
    assert!(refused.to_string().contains("Claviger 9.9.9"), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), before);
    // Nor is a copy of it taken for a backup of this version.
    let copied = SqliteStore::copy_file(&path, &dir.path().join("copy")).await;
    assert!(matches!(copied, Err(OpenError::Later { .. })), "{copied:?}");
}

#[tokio::test]
async fn refuses_the_database_of_another_program() {
    for sql in [
        "CREATE TABLE notes (id TEXT)",
        "PRAGMA application_id = 7",
        "PRAGMA user_version = 1",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.db");
        file::prepare(&path).unwrap();
        let mut db = probing(&path).connect().await.unwrap();
        raw_sql(sql).execute(&mut db).await.unwrap();
        db.close().await.unwrap();
        let before = fs::read(&path).unwrap();
        let refused = SqliteStore::open(&path).await.unwrap_err();
        assert!(matches!(refused, OpenError::NotOurs { .. }), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}

#[tokio::test]
async fn refuses_a_file_that_is_no_database() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.db");
    file::prepare(&path).unwrap();
    fs::write(
        &path,
        "not a database, but long enough to be looked at".repeat(40),
    )
    .unwrap();
    let refused = SqliteStore::open(&path).await.unwrap_err();
    assert!(matches!(refused, OpenError::Database { .. }), "{refused}");
}

// The second half runs in a process of its own, which dies without a word in the middle of a
// migration; it is this same test, started again with the file's path as its last argument.
#[tokio::test]
async fn a_process_killed_while_migrating_harms_nothing() {
    if let Some(path) = env::args()
        .next_back()
        .filter(|last| last.ends_with("c.db"))
    {
        let mut db = writing(Path::new(&path)).connect().await.unwrap();
        let mut transaction = db.begin_with("BEGIN IMMEDIATE").await.unwrap();
        raw_sql(MIGRATIONS[0])
            .execute(&mut *transaction)
            .await
            .unwrap();
        raw_sql("PRAGMA user_version = 1; PRAGMA cache_spill = ON")
            .execute(&mut *transaction)
            .await
            .unwrap();
        process::abort();
    }
    let (dir, mut db) = fresh().await;
    let killed = Command::new(env::current_exe().unwrap())
        .args(["--exact", NAME])
        .arg(dir.path().join("c.db"))
        .output()
        .unwrap();
    assert!(!killed.status.success());
    assert!(
        !String::from_utf8_lossy(&killed.stdout).contains("test result"),
        "the other process was not killed: {killed:?}"
    );
    assert_eq!(inspect(&mut db, 1).await.unwrap(), Found::Empty);
    assert_eq!(
        migrate(&mut db, &MIGRATIONS).await.unwrap(),
        Found::Version(KNOWN)
    );
    let marked: i64 = query_scalar("PRAGMA application_id")
        .fetch_one(&mut db)
        .await
        .unwrap();
    assert_eq!(marked, APPLICATION_ID);
}

const NAME: &str = "migrate::tests::a_process_killed_while_migrating_harms_nothing";

// Applied migrations are frozen: a released file was made with exactly this text.
#[test]
fn applied_migrations_are_frozen() {
    let digests =
        MIGRATIONS.map(|text| claviger_crypto::hex(&claviger_crypto::sha256(text.as_bytes())));
    assert_eq!(
        digests,
        [
            "883d9cefa08c2459d4fa06ced9c75273176785693481dcc637023ad6c3ed1567",
            "e213647e902dc92b301e85bb0d91b8cd73aaf96d56b23c49070810eb7746ac55",
            "58b502ca94daa704743db65ae11b1676ddb407f0616ca6768cec0afea665172f",
            "b413e5ce6e30de95ec6317f6c17225c6be9c40c547ce65cbc3435207c0f2ec6f",
        ]
    );
}
