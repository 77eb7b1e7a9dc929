//! How users stand with servers.

use async_trait::async_trait;
use claviger_model::{Connection, CredentialKey, ServerId};
use claviger_store::{Connections, StoreError};

use super::PostgresTenant;
use crate::queries::connections;
use crate::retry::retry;

#[async_trait]
impl Connections for PostgresTenant {
    async fn find_connection(&self, key: &CredentialKey) -> Result<Option<Connection>, StoreError> {
        if !self.owns(&key.tenant) {
            return Ok(None);
        }
        let row = retry(|| async {
            let mut db = self.read().await?;
            Ok(connections::find(&mut db, key.into()).await?)
        });
        let row = row.await?;
        row.map(|row| connections::read(&self.tenant, row))
            .transpose()
    }

    async fn list_connections(&self, server: &ServerId) -> Result<Vec<Connection>, StoreError> {
        let rows = retry(|| async {
            let mut db = self.read().await?;
            Ok(connections::list(&mut db, &self.tenant, server.as_str()).await?)
        });
        let rows = rows.await?.into_iter();
        rows.map(|row| connections::read(&self.tenant, row))
            .collect()
    }

    async fn update_connection(&self, connection: &Connection) -> Result<(), StoreError> {
        self.must_own(&connection.key.tenant)?;
        retry(|| async {
            let row = connections::row(connection)?;
            let mut db = self.write().await?;
            connections::write(&mut db, &self.tenant, row).await?;
            // Nobody keeps connections in memory.
            self.finish(db, &[]).await
        })
        .await
    }
}
