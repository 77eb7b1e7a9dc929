//! The suite every backend passes.

use claviger_store_sqlite::SqliteStore;
use tempfile::TempDir;

#[expect(clippy::unwrap_used, reason = "a part of tests")]
async fn make() -> (TempDir, SqliteStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&dir.path().join("claviger.db"))
        .await
        .unwrap();
    (dir, store)
}

claviger_store::contract_suite!(make);
