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

#[cfg(test)]
mod tests {
    use claviger_store::Store as _;
    use claviger_store::contract::fixtures::{rows, server};
    use sqlx::query;

    use crate::SqliteStore;

    // Old changes go in passing, the last one stays, and whoever did not hear of them is told.
    #[tokio::test]
    async fn forgets_what_is_old_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&dir.path().join("c.db")).await.unwrap();
        let begun = store.list_changes(None).await.unwrap().cursor;
        let up = server("t1", "up");
        rows(&store).insert_server(&up).await.unwrap();
        let first = store.list_changes(Some(&begun)).await.unwrap();
        assert_eq!(first.changes.len(), 1);
        let mut writer = store.pool.writer().await.unwrap();
        for sql in [
            "INSERT INTO changes (tenant_id, kind) WITH RECURSIVE n (i) AS (
                 SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 254) SELECT '*', 'keys' FROM n",
            "UPDATE changes SET at = at - 700",
        ] {
            query(sql).execute(&mut *writer).await.unwrap();
        }
        drop(writer);
        let read = store.list_changes(Some(&first.cursor)).await.unwrap();
        assert_eq!((read.is_everything, read.changes.len()), (false, 254));
        // The 256th: it takes the old ones away.
        rows(&store).update_server(&up, &up).await.unwrap();
        for missed in [&begun, &first.cursor] {
            let read = store.list_changes(Some(missed)).await.unwrap();
            assert!(read.is_everything);
        }
        let next = store.list_changes(Some(&read.cursor)).await.unwrap();
        assert_eq!((next.is_everything, next.changes.len()), (false, 1));
        // All are old now, but the last is kept: its number is not given again.
        let mut writer = store.pool.writer().await.unwrap();
        query("UPDATE changes SET at = at - 700")
            .execute(&mut *writer)
            .await
            .unwrap();
        drop(writer);
        rows(&store).update_server(&up, &up).await.unwrap();
        let last = store.list_changes(Some(&next.cursor)).await.unwrap();
        assert_eq!((last.is_everything, last.changes.len()), (false, 1));
    }
}
