//! The SQLite file from outside, as another program on the machine would open it.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Executor};

/// A connection that waits for its turn.
pub(crate) async fn open(file: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(Duration::from_secs(20));
    SqliteConnection::connect_with(&options).await.unwrap()
}

/// Runs one statement that the harness wrote itself.
pub(crate) async fn change(file: &Path, sql: &'static str) {
    let mut connection = open(file).await;
    connection.execute(sql).await.unwrap();
    connection.close().await.unwrap();
}
