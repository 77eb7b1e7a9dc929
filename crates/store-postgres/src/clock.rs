//! The database's own time: the only clock several nodes agree on.

use sqlx::{Result, query_scalar};

use crate::db::Db;

/// Milliseconds since 1970, now and not at the start of the transaction.
pub(crate) async fn now_ms(db: &mut Db) -> Result<i64> {
    query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
        .fetch_one(db)
        .await
}
