//! The database file from outside, as another program on the machine would open it.

use core::time::Duration;
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _, query_scalar, raw_sql};

/// A connection that waits for its turn.
pub(crate) async fn open(file: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(Duration::from_secs(20));
    SqliteConnection::connect_with(&options).await.unwrap()
}

/// Changes something, and writes the log back into the file.
pub(crate) async fn change(file: &Path, sql: &str) {
    let mut db = open(file).await;
    let all = format!("{sql}; PRAGMA wal_checkpoint(TRUNCATE)");
    raw_sql(AssertSqlSafe(all)).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
}

/// The first column of every row, as text.
pub(crate) async fn lines(file: &Path, sql: &str) -> Vec<String> {
    let mut db = open(file).await;
    let rows = query_scalar(AssertSqlSafe(sql.to_owned()));
    let rows = rows.fetch_all(&mut db).await.unwrap();
    db.close().await.unwrap();
    rows
}
