//! How connections are set up, and what they do with rows and neighbours they do not expect.

use std::path::PathBuf;
use std::time::Duration;

use claviger_model::Standing;
use claviger_store::contract::fixtures::{
    api_token, connection, credential, insert_servers, key, key_row, registration, rows, sign_in,
};
use claviger_store::{Store as _, StoreError};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, SqliteConnection,
    query_scalar,
};
use tempfile::TempDir;

use super::{Pool, Unit};
use crate::SqliteStore;
use crate::error::store_error;
use crate::open::writing;

async fn fresh() -> (TempDir, PathBuf, SqliteStore) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.db");
    let store = SqliteStore::open(&path).await.unwrap();
    (dir, path, store)
}

async fn pragma(db: &mut SqliteConnection, name: &str) -> String {
    // As text, whatever its type is.
    let sql = format!("SELECT CAST(\"{name}\" AS TEXT) FROM pragma_{name}");
    query_scalar(AssertSqlSafe(sql))
        .fetch_one(db)
        .await
        .unwrap()
}

async fn check_pragmas(db: &mut SqliteConnection, query_only: &str) {
    for (name, expected) in [
        ("journal_mode", "wal"),
        ("synchronous", "2"),
        ("foreign_keys", "1"),
        ("trusted_schema", "0"),
        ("cell_size_check", "1"),
        ("secure_delete", "1"),
        ("temp_store", "2"),
        ("journal_size_limit", "67108864"),
        ("application_id", "1668052583"),
        ("user_version", "4"),
        ("query_only", query_only),
    ] {
        assert_eq!(pragma(db, name).await, expected, "{name}");
    }
    for (sql, expected) in [
        ("PRAGMA busy_timeout", 5000),
        ("PRAGMA wal_autocheckpoint", 1000),
    ] {
        let found: i64 = query_scalar(sql).fetch_one(&mut *db).await.unwrap();
        assert_eq!(found, expected, "{sql}");
    }
    let mapped: Option<i64> = query_scalar("PRAGMA mmap_size")
        .fetch_optional(db)
        .await
        .unwrap();
    assert_eq!(mapped.unwrap_or_default(), 0);
}

#[tokio::test]
async fn every_connection_is_set_up_alike() {
    let (_dir, path, store) = fresh().await;
    let pool = Pool::open(&path).await.unwrap();
    check_pragmas(&mut pool.writer().await.unwrap(), "0").await;
    check_pragmas(&mut pool.read().await.unwrap(), "1").await;
    check_pragmas(pool.watcher.lock().await.as_mut().unwrap(), "1").await;
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_reading_connection_cannot_write() {
    let (_dir, path, _store) = fresh().await;
    let pool = Pool::open(&path).await.unwrap();
    let refused = sqlx::query("DELETE FROM servers")
        .execute(&mut *pool.read().await.unwrap())
        .await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn a_database_held_by_another_process_is_busy() {
    let (_dir, path, _store) = fresh().await;
    let mut holder = writing(&path).connect().await.unwrap();
    let held = holder.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let mut waiting = writing(&path)
        .busy_timeout(Duration::ZERO)
        .connect()
        .await
        .unwrap();
    let refused = waiting.begin_with("BEGIN IMMEDIATE").await.err().unwrap();
    assert!(matches!(store_error(refused), StoreError::Busy));
    held.rollback().await.unwrap();
    assert!(waiting.begin_with("BEGIN IMMEDIATE").await.is_ok());
}

// A request that is given up in the middle of a write must not keep the one connection that
// writes, nor leave half a write.
#[tokio::test]
async fn a_write_given_up_half_way_is_undone() {
    let (_dir, path, store) = fresh().await;
    insert_servers(&store, "t1").await;
    let pool = Pool::open(&path).await.unwrap();
    let half = pool.write(|mut db| async move {
        let deleted = sqlx::query("DELETE FROM servers").execute(&mut *db).await;
        deleted.map(drop).map_err(store_error)
    });
    half.await.unwrap();
    let next = pool.write(|mut db| async move {
        let left = query_scalar("SELECT count(*) FROM servers");
        left.fetch_one(&mut *db).await.map_err(store_error)
    });
    let left: i64 = next.await.unwrap();
    assert_eq!(left, 2);
}

// SQLite takes the transaction back by itself then, and the connection counts on.
#[tokio::test]
async fn f11_a_full_disk_does_not_spoil_the_connection_that_writes() {
    let (_dir, path, store) = fresh().await;
    insert_servers(&store, "t1").await;
    let pool = Pool::open(&path).await.unwrap();
    let mut writer = pool.writer().await.unwrap();
    sqlx::query("PRAGMA max_page_count = 1")
        .execute(&mut *writer)
        .await
        .unwrap();
    drop(writer);
    let full = pool.write(|mut db| async move {
        let update = sqlx::query("UPDATE servers SET slug = hex(zeroblob(100000))");
        update.execute(&mut *db).await.map_err(store_error)?;
        db.keep().await
    });
    assert!(full.await.is_err());
    for _ in 0..2 {
        let next = pool.write(Unit::keep);
        assert!(next.await.is_ok());
    }
}

#[tokio::test]
async fn f11_a_connection_that_can_only_read_is_none_that_writes() {
    let (_dir, path, _store) = fresh().await;
    let refused = Pool::open_with(&path, writing(&path).read_only(true)).await;
    assert!(refused.is_err());
    let mut other = writing(&path).connect().await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    // A lock of somebody else is no reason.
    assert!(Pool::open(&path).await.is_ok());
}

#[tokio::test]
async fn nothing_is_answered_after_closing() {
    let (_dir, _path, store) = fresh().await;
    store.close().await.unwrap();
    assert!(store.data_version().await.is_err());
    assert!(rows(&store).list_servers().await.is_err());
    assert!(store.keys().list_keys().await.is_err());
}

async fn fill(store: &SqliteStore) {
    insert_servers(store, "t1").await;
    let (rows, key) = (rows(store), key("linear"));
    let standing = connection(&key, Standing::Connected);
    rows.replace_credential(&credential(&key, b"a"), &standing)
        .await
        .unwrap();
    rows.insert_registration(&registration("linear", "r1", "https://issuer.example"))
        .await
        .unwrap();
    rows.insert_sign_in(&sign_in(&key, "i1")).await.unwrap();
    rows.insert_api_token(&api_token("t1", "p1")).await.unwrap();
    store
        .keys()
        .insert_key(&key_row(None, "mac", 1))
        .await
        .unwrap();
}

/// Reads one row of every kind and answers what was corrupt.
async fn corrupt(store: &SqliteStore) -> Vec<String> {
    let (rows, key) = (rows(store), key("linear"));
    let sign_in = sign_in(&key, "i1").id;
    let answers = [
        rows.list_servers().await.map(drop),
        rows.list_credentials(&key.server).await.map(drop),
        rows.list_connections(&key.server).await.map(drop),
        rows.list_registrations(&key.server).await.map(drop),
        rows.find_sign_in(&sign_in).await.map(drop),
        rows.list_api_tokens().await.map(drop),
        store.keys().list_keys().await.map(drop),
    ];
    answers
        .into_iter()
        .filter_map(Result::err)
        .map(|error| error.to_string())
        .collect()
}

// Whoever can write to the file can write nonsense: one row fails by name, no value is shown, and
// nothing panics.
#[tokio::test]
async fn names_the_column_it_cannot_read() {
    for (table, column, value) in [
        ("servers", "slug", "'UPPER canary'"),
        ("servers", "auth", "'{\"type\":\"canary\"}'"),
        ("servers", "enabled", "2"),
        ("credentials", "version", "-1"),
        ("credentials", "scopes_granted", "'canary'"),
        ("credentials", "registration_id", "''"),
        ("connections", "standing", "'canary'"),
        ("connections", "reason", "'canary'"),
        ("connections", "challenge", "'[]canary'"),
        ("connections", "step_ups", "4294967296"),
        ("registrations", "origin", "'canary'"),
        ("sign_ins", "outcome", "'canary'"),
        ("api_tokens", "servers", "'canary'"),
        ("vault_keys", "generation", "-1"),
    ] {
        let (_dir, path, store) = fresh().await;
        fill(&store).await;
        assert_eq!(corrupt(&store).await, Vec::<String>::new());
        let mut db = writing(&path).connect().await.unwrap();
        let sql = format!("UPDATE {table} SET {column} = {value} WHERE rowid = 1");
        sqlx::query(AssertSqlSafe(sql))
            .execute(&mut db)
            .await
            .unwrap();
        assert_eq!(
            corrupt(&store).await,
            [format!("a stored row cannot be read ({table}.{column})")]
        );
    }
}
