//! The SQLite file from outside, as another program on the machine would open it.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};

/// A connection that waits for its turn.
pub(crate) async fn open(file: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(Duration::from_mins(2));
    SqliteConnection::connect_with(&options).await.unwrap()
}

/// Runs one statement that the harness wrote itself.
pub(crate) async fn change(file: &Path, sql: &str) {
    let mut connection = open(file).await;
    connection
        .execute(AssertSqlSafe(sql.to_owned()))
        .await
        .unwrap();
    connection.close().await.unwrap();
}

/// Whether somebody may write within a second.
pub(crate) async fn is_unlocked(file: &Path) -> bool {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(Duration::from_secs(1));
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let begun = connection.execute("BEGIN IMMEDIATE").await;
    if begun.is_ok() {
        connection.execute("ROLLBACK").await.unwrap();
    }
    connection.close().await.unwrap();
    begun.is_ok()
}

/// The bytes of one column of one row.
pub(crate) async fn bytes(file: &Path, sql: &str) -> Vec<u8> {
    let mut connection = open(file).await;
    let query = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()));
    let bytes = query.fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    bytes
}

/// The one number that a query answers.
pub(crate) async fn number(file: &Path, sql: &str) -> i64 {
    let mut connection = open(file).await;
    let query = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()));
    let number = query.fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    number
}
