//! How a unit of work ends that changed something.

use claviger_model::AuditEntry;
use claviger_store::{Change, StoreError};

use crate::db::Db;
use crate::error::{Failure, is_taken};
use crate::queries::{audit, changes};

/// Writes what others must hear of and the entries of the audit log, and commits all of it.
pub(crate) async fn finish(
    mut db: Db,
    changes: &[Change],
    entries: &[AuditEntry],
) -> Result<(), Failure> {
    for change in changes {
        changes::insert(&mut db, changes::row(change)).await?;
    }
    for entry in entries {
        let inserted = audit::insert(&mut db, audit::row(entry)?).await;
        inserted.map_err(|error| {
            if is_taken(&error) {
                Failure::Told(StoreError::AuditConflict)
            } else {
                error.into()
            }
        })?;
    }
    Ok(db.commit().await?)
}
