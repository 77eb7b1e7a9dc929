//! What a statement runs on.

/// The connection, whether or not a transaction is open on it.
pub(crate) type Db = sqlx::SqliteConnection;
