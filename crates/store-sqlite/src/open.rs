//! How every connection is set up.

use std::path::Path;
use std::time::Duration;

use sqlx::AssertSqlSafe;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

/// To look at a file without changing it.
pub(crate) fn probing(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("trusted_schema", "OFF")
}

/// To write.
pub(crate) fn writing(path: &Path) -> SqliteConnectOptions {
    probing(path)
        .journal_mode(SqliteJournalMode::Wal)
        // NORMAL may lose a committed rotation when the power goes.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("cell_size_check", "ON")
        .pragma("secure_delete", "ON")
        .pragma("temp_store", "MEMORY")
        .pragma("mmap_size", "0")
        .pragma("journal_size_limit", "67108864")
        .pragma("wal_autocheckpoint", "1000")
}

/// To write what counts only when it is whole.
pub(crate) fn drafting(path: &Path) -> SqliteConnectOptions {
    writing(path).synchronous(SqliteSynchronous::Off)
}

/// To read only.
pub(crate) fn reading(path: &Path) -> SqliteConnectOptions {
    writing(path).pragma("query_only", "ON")
}

/// Says again how long a statement waits for another process.
pub(crate) fn busy_timeout() -> AssertSqlSafe<String> {
    AssertSqlSafe(format!(
        "PRAGMA busy_timeout = {}",
        BUSY_TIMEOUT.as_millis()
    ))
}

/// How long a statement waits for another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
