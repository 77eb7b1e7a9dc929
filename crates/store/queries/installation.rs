//! Statements of the installation's one row.

use claviger_model::{Installation, Timestamp};
use claviger_store::StoreError;
use sqlx::{Result, query, query_as};

use super::Db;
use super::columns::{flag, instant, number, to_number};

/// The row of `installation`.
pub(crate) struct InstallationRow {
    pub(crate) id: String,
    pub(crate) restore_epoch: i64,
    pub(crate) restored_at: Option<i64>,
    pub(crate) is_held: i64,
    pub(crate) created_at: i64,
}

pub(crate) async fn find(db: &mut Db) -> Result<Option<InstallationRow>> {
    query_as!(
        InstallationRow,
        "SELECT id, restore_epoch, restored_at, is_held, created_at FROM installation"
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn insert(db: &mut Db, row: InstallationRow) -> Result<()> {
    query!(
        "INSERT INTO installation (id, restore_epoch, restored_at, is_held, created_at)
         VALUES ($1, $2, $3, $4, $5)",
        row.id,
        row.restore_epoch,
        row.restored_at,
        row.is_held,
        row.created_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The epoch never goes back.
pub(crate) async fn update(db: &mut Db, row: InstallationRow) -> Result<u64> {
    let done = query!(
        "UPDATE installation SET restore_epoch = $1, restored_at = $2, is_held = $3
         WHERE restore_epoch <= $1",
        row.restore_epoch,
        row.restored_at,
        row.is_held
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// What is stored of it.
pub(crate) fn row(installation: &Installation) -> Result<InstallationRow, StoreError> {
    Ok(InstallationRow {
        id: installation.id.clone(),
        restore_epoch: to_number(installation.restore_epoch, "installation.restore_epoch")?,
        restored_at: installation.restored_at.map(Timestamp::as_secs),
        is_held: i64::from(installation.is_held),
        created_at: installation.created_at.as_secs(),
    })
}

/// What was stored; what does not read is corrupt.
pub(crate) fn read(row: InstallationRow) -> Result<Installation, StoreError> {
    Ok(Installation {
        id: row.id,
        restore_epoch: number(row.restore_epoch, "installation.restore_epoch")?,
        restored_at: row.restored_at.map(instant),
        is_held: flag(row.is_held, "installation.is_held")?,
        created_at: instant(row.created_at),
    })
}
