//! How a unit of work ends that changed something.

use claviger_model::AuditEntry;
use claviger_store::{Change, StoreError};

use crate::db::Db;
use crate::error::{is_taken, store_error};
use crate::pool::Unit;
use crate::queries::{audit, changes};

/// Writes what others must hear of and the entries of the audit log, and keeps all of it.
pub(crate) async fn finish(
    mut db: Unit,
    changes: &[Change],
    entries: &[AuditEntry],
) -> Result<(), StoreError> {
    for change in changes {
        tell(&mut db, change).await.map_err(store_error)?;
    }
    for entry in entries {
        let inserted = audit::insert(&mut db, audit::row(entry)?).await;
        inserted.map_err(|error| {
            if is_taken(&error) {
                StoreError::AuditConflict
            } else {
                store_error(error)
            }
        })?;
    }
    db.keep().await
}

async fn tell(db: &mut Db, change: &Change) -> sqlx::Result<()> {
    let seq = changes::insert(db, changes::row(change)).await?;
    if seq % EVERY == 0 {
        prune(db).await?;
    }
    Ok(())
}

/// Forgets the oldest of what is old. The newest stays whatever its age, or its number would be
/// given again.
async fn prune(db: &mut Db) -> sqlx::Result<()> {
    sqlx::query(
        "DELETE FROM changes WHERE at < unixepoch() - $1
             AND seq IN (SELECT seq FROM changes ORDER BY seq LIMIT $2)
             AND seq < (SELECT max(seq) FROM changes)",
    )
    .bind(changes::KEPT)
    .bind(EVERY * 4)
    .execute(db)
    .await
    .map(drop)
}

const EVERY: i64 = 256;
