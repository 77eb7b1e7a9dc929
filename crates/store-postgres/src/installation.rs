//! What the database says of itself.

use std::sync::Arc;

use async_trait::async_trait;
use claviger_model::{AuditEntry, Installation};
use claviger_store::{Change, Installations, StoreError};

use crate::finish::finish;
use crate::pool::{Pool, Scope};
use crate::queries::installation;
use crate::retry::retry;

/// The one row of a database.
pub(crate) struct PostgresInstallation {
    pub(crate) pool: Arc<Pool>,
    /// What stands in one transaction with whatever is written.
    pub(crate) entries: Vec<AuditEntry>,
}

#[async_trait]
impl Installations for PostgresInstallation {
    async fn find_installation(&self) -> Result<Option<Installation>, StoreError> {
        let row = retry(|| async {
            let mut db = self.pool.read(Scope::Installation).await?;
            Ok(installation::find(&mut db).await?)
        });
        row.await?.map(installation::read).transpose()
    }

    async fn insert_installation(&self, row: &Installation) -> Result<(), StoreError> {
        retry(|| async {
            let row = installation::row(row)?;
            let mut db = self.pool.write(Scope::Installation).await?;
            installation::insert(&mut db, row).await?;
            finish(db, &[Change::Installation], &self.entries).await
        })
        .await
    }

    async fn update_installation(&self, row: &Installation) -> Result<bool, StoreError> {
        retry(|| async {
            let row = installation::row(row)?;
            let mut db = self.pool.write(Scope::Installation).await?;
            let written = installation::update(&mut db, row).await?;
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
