//! What changed since somebody last asked.

use claviger_store::{Changes, Cursor, StoreError};
use sqlx::{query_as, query_scalar};

use crate::db::Db;
use crate::error::store_error;
use crate::queries::changes::{self, ChangeRow, MOST};

/// Numbers are given one by one under the write lock, so none becomes visible after a higher one.
pub(crate) async fn list_changes(
    db: &mut Db,
    since: Option<&Cursor>,
) -> Result<Changes, StoreError> {
    let (file, first, last) = ends(db).await.map_err(store_error)?;
    let all = |is_everything| Changes {
        cursor: Cursor(format!("{file}:{last}")),
        changes: Vec::new(),
        is_everything,
    };
    let Some(since) = since.and_then(|cursor| read(&file, cursor)) else {
        return Ok(all(true));
    };
    // One that is ahead is of a later state of this file than is there now.
    if since > last || since < first - 1 || last - since > MOST {
        return Ok(all(true));
    }
    if since == last {
        return Ok(all(false));
    }
    let rows = query_as!(
        ChangeRow,
        "SELECT tenant_id, kind, server_id, user_id, account, version FROM changes
         WHERE seq > $1 AND seq <= $2 ORDER BY seq",
        since,
        last
    );
    let rows = rows.fetch_all(db).await.map_err(store_error)?;
    // Some were forgotten between the two statements.
    if i64::try_from(rows.len()).ok() != Some(last - since) {
        return Ok(all(true));
    }
    let told: Result<Vec<_>, _> = rows.into_iter().map(changes::read).collect();
    Ok(Changes {
        changes: told?,
        ..all(false)
    })
}

/// Which file it is, and the lowest and the highest number that are there.
async fn ends(db: &mut Db) -> sqlx::Result<(String, i64, i64)> {
    let file = query_scalar!("SELECT id FROM feed")
        .fetch_one(&mut *db)
        .await?;
    let first =
        query_scalar!("SELECT coalesce((SELECT min(seq) FROM changes), 1) AS \"seq!: i64\"");
    let first = first.fetch_one(&mut *db).await?;
    let last = query_scalar!("SELECT coalesce((SELECT max(seq) FROM changes), 0) AS \"seq!: i64\"");
    Ok((file, first, last.fetch_one(db).await?))
}

/// The number in a cursor that this file gave.
fn read(file: &str, cursor: &Cursor) -> Option<i64> {
    let (of, number) = cursor.0.split_once(':')?;
    if of != file {
        return None;
    }
    number.parse().ok().filter(|number| *number >= 0)
}
