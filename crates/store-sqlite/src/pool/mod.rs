//! One connection that writes, several that read, and one that watches.

use std::path::Path;
use std::time::Duration;

use claviger_store::StoreError;
use sqlx::error::DatabaseError;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{
    ConnectOptions as _, Connection as _, Executor as _, Sqlite, SqliteConnection, SqlitePool,
    query_scalar,
};
use tokio::sync::Mutex;

use crate::error::store_error;
use crate::open::{busy_timeout, drafting, reading, writing};
pub(crate) use unit::Unit;
use writer::Writer;

mod group;
mod unit;
mod writer;

/// The connections to one file.
#[derive(Debug)]
pub(crate) struct Pool {
    writer: Writer,
    readers: SqlitePool,
    /// `PRAGMA data_version` means something only against its own past, so it is one connection
    /// for good, on which nothing is ever written.
    watcher: Mutex<Option<SqliteConnection>>,
}

impl Pool {
    pub(crate) async fn open(path: &Path) -> sqlx::Result<Self> {
        Self::open_with(path, writing(path)).await
    }

    /// To a file that counts only when it is whole.
    pub(crate) async fn open_draft(path: &Path) -> sqlx::Result<Self> {
        Self::open_with(path, drafting(path)).await
    }

    async fn open_with(path: &Path, writing: SqliteConnectOptions) -> sqlx::Result<Self> {
        let kept = || {
            SqlitePoolOptions::new()
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
                .acquire_timeout(ACQUIRE_TIMEOUT)
        };
        let writer = kept()
            .max_connections(1)
            .min_connections(1)
            .after_connect(|connection, _| Box::pin(can_write(connection)))
            .after_release(|connection, _| Box::pin(is_at_rest(connection)))
            .connect_with(writing)
            .await?;
        let readers = kept()
            .max_connections(READERS)
            .min_connections(1)
            .connect_with(reading(path))
            .await?;
        let watcher = Mutex::new(Some(reading(path).connect().await?));
        Ok(Self {
            writer: Writer::new(writer, ACQUIRE_TIMEOUT),
            readers,
            watcher,
        })
    }

    /// The connection that writes, outside of a transaction.
    pub(crate) async fn writer(&self) -> sqlx::Result<PoolConnection<Sqlite>> {
        self.writer.connection().await
    }

    /// Does `work`, and answers when it is on the disk or undone. Those who wait together share a
    /// transaction, and each can fail alone; see [`writer`].
    pub(crate) async fn write<T, W>(&self, work: impl FnOnce(Unit) -> W) -> Result<T, StoreError>
    where
        W: Future<Output = Result<T, StoreError>>,
    {
        self.writer.write(work).await
    }

    pub(crate) async fn read(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        self.readers.acquire().await.map_err(store_error)
    }

    pub(crate) async fn data_version(&self) -> Result<i64, StoreError> {
        let mut watcher = self.watcher.lock().await;
        let connection = watcher
            .as_mut()
            .ok_or_else(|| store_error(sqlx::Error::PoolClosed))?;
        query_scalar("PRAGMA data_version")
            .fetch_one(connection)
            .await
            .map_err(store_error)
    }

    /// The writer goes last: the last one to close writes the log back and takes it away.
    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        self.readers.close().await;
        let watcher = self.watcher.lock().await.take();
        if let Some(watcher) = watcher {
            watcher.close().await.map_err(store_error)?;
        }
        self.writer.close().await;
        Ok(())
    }
}

/// Refuses a connection that can only read. While the disk refuses writing, SQLite opens the file
/// for reading and says nothing; kept, that connection would refuse every write for ever (F11).
async fn can_write(connection: &mut SqliteConnection) -> sqlx::Result<()> {
    // Not to wait here for another process that writes.
    connection.execute("PRAGMA busy_timeout = 0").await?;
    let mut tried = connection.execute("BEGIN IMMEDIATE").await;
    if tried.is_ok() {
        // To begin is allowed where nothing can be written.
        tried = connection.execute("PRAGMA user_version = 0").await;
        connection.execute("ROLLBACK").await?;
    }
    connection.execute(busy_timeout()).await?;
    match tried {
        Err(error) if is_read_only(&error) => Err(error),
        // Whatever else it is, whoever writes is told.
        _ => Ok(()),
    }
}

fn is_read_only(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    let code = code.and_then(|code| code.parse::<u32>().ok());
    // SQLITE_READONLY, whatever its extension says.
    code.is_some_and(|code| code & 0xff == 8)
}

/// Whether a connection may be used again. When the disk is full or fails, SQLite takes a
/// transaction back by itself; sqlx then counts one that nobody can end, and every later one is
/// refused. A new connection also reads anew what is really on disk (F11, F12).
async fn is_at_rest(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    // Answered behind the rollback that dropping a transaction asks for.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

const READERS: u32 = 4;
/// Above the busy timeout, so that a busy database is called busy by SQLite itself first.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
