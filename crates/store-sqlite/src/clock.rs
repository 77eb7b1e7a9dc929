//! The database's own time: the only clock several processes on one file agree on.

use sqlx::{Result, query_scalar};

use crate::db::Db;

/// Milliseconds since 1970.
pub(crate) async fn now_ms(db: &mut Db) -> Result<i64> {
    query_scalar("SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)")
        .fetch_one(db)
        .await
}
