//! What the database says of itself.

use std::sync::Arc;

use async_trait::async_trait;
use claviger_model::{AuditEntry, Installation};
use claviger_store::{Change, Installations, StoreError};

use crate::error::store_error;
use crate::finish::finish;
use crate::pool::Pool;
use crate::queries::installation;

/// The one row of a file.
pub(crate) struct SqliteInstallation {
    pub(crate) pool: Arc<Pool>,
    /// What stands in one transaction with whatever is written.
    pub(crate) entries: Vec<AuditEntry>,
}

#[async_trait]
impl Installations for SqliteInstallation {
    async fn find_installation(&self) -> Result<Option<Installation>, StoreError> {
        let mut db = self.pool.read().await?;
        let row = installation::find(&mut db).await.map_err(store_error)?;
        row.map(installation::read).transpose()
    }

    async fn insert_installation(&self, row: &Installation) -> Result<(), StoreError> {
        let row = installation::row(row)?;
        self.pool
            .write(|mut db| async move {
                installation::insert(&mut db, row)
                    .await
                    .map_err(store_error)?;
                finish(db, &[Change::Installation], &self.entries).await
            })
            .await
    }

    async fn update_installation(&self, row: &Installation) -> Result<bool, StoreError> {
        let row = installation::row(row)?;
        self.pool
            .write(|mut db| async move {
                let written = installation::update(&mut db, row)
                    .await
                    .map_err(store_error)?;
                if written > 0 {
                    finish(db, &[Change::Installation], &self.entries).await?;
                }
                Ok(written > 0)
            })
            .await
    }

    fn recorded(&self, entries: &[AuditEntry]) -> Arc<dyn Installations> {
        Arc::new(Self {
            pool: Arc::clone(&self.pool),
            entries: entries.to_vec(),
        })
    }
}
