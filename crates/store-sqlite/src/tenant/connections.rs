//! How users stand with servers.

use async_trait::async_trait;
use claviger_model::{Connection, CredentialKey, ServerId};
use claviger_store::{Connections, StoreError};

use super::SqliteTenant;
use crate::error::store_error;
use crate::queries::connections;

#[async_trait]
impl Connections for SqliteTenant {
    async fn find_connection(&self, key: &CredentialKey) -> Result<Option<Connection>, StoreError> {
        if !self.owns(&key.tenant) {
            return Ok(None);
        }
        let mut db = self.pool.read().await?;
        connections::find(&mut db, key.into())
            .await
            .map_err(store_error)?
            .map(|row| connections::read(&self.tenant, row))
            .transpose()
    }

    async fn list_connections(&self, server: &ServerId) -> Result<Vec<Connection>, StoreError> {
        let mut db = self.pool.read().await?;
        let rows = connections::list(&mut db, &self.tenant, server.as_str())
            .await
            .map_err(store_error)?;
        rows.into_iter()
            .map(|row| connections::read(&self.tenant, row))
            .collect()
    }

    async fn update_connection(&self, connection: &Connection) -> Result<(), StoreError> {
        self.must_own(&connection.key.tenant)?;
        let row = connections::row(connection)?;
        self.pool
            .write(|mut db| async move {
                connections::write(&mut db, &self.tenant, row)
                    .await
                    .map_err(store_error)?;
                // Nobody keeps connections in memory.
                self.finish(db, &[]).await
            })
            .await
    }
}
