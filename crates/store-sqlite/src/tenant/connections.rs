//! How users stand with servers.

use async_trait::async_trait;
use claviger_model::{Connection, CredentialKey, ServerId, TenantId};
use claviger_store::{Connections, StoreError};

use super::SqliteTenant;
use crate::columns::{credential_key, instant, json, number, text, to_json, to_text};
use crate::error::store_error;
use crate::queries::connections::{self, ConnectionRow};

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
            .map(|row| read(&self.tenant, row))
            .transpose()
    }

    async fn list_connections(&self, server: &ServerId) -> Result<Vec<Connection>, StoreError> {
        let mut db = self.pool.read().await?;
        let rows = connections::list(&mut db, &self.tenant, server.as_str())
            .await
            .map_err(store_error)?;
        rows.into_iter()
            .map(|row| read(&self.tenant, row))
            .collect()
    }

    async fn update_connection(&self, connection: &Connection) -> Result<(), StoreError> {
        self.must_own(&connection.key.tenant)?;
        let row = row(connection)?;
        let mut db = self.pool.write().await?;
        connections::write(&mut db, &self.tenant, row)
            .await
            .map_err(store_error)?;
        db.commit().await.map_err(store_error)
    }
}

pub(super) fn row(connection: &Connection) -> Result<ConnectionRow, StoreError> {
    let reason = connection.reason.as_ref();
    Ok(ConnectionRow {
        server_id: connection.key.server.as_str().to_owned(),
        user_id: connection.key.user.as_str().to_owned(),
        account: connection.key.account.as_str().to_owned(),
        standing: to_text(&connection.standing, "connections.standing")?,
        reason: reason
            .map(|reason| to_text(reason, "connections.reason"))
            .transpose()?,
        challenge: connection.challenge.as_ref().map(to_json).transpose()?,
        step_ups: i64::from(connection.step_ups),
        updated_at: connection.updated_at.as_secs(),
    })
}

fn read(tenant: &TenantId, row: ConnectionRow) -> Result<Connection, StoreError> {
    let challenge = row.challenge.as_deref();
    Ok(Connection {
        key: credential_key(tenant, row.server_id, row.user_id, row.account)?,
        standing: text(row.standing, "connections.standing")?,
        reason: row
            .reason
            .map(|reason| text(reason, "connections.reason"))
            .transpose()?,
        challenge: challenge
            .map(|challenge| json(challenge, "connections.challenge"))
            .transpose()?,
        step_ups: number(row.step_ups, "connections.step_ups")?,
        updated_at: instant(row.updated_at),
    })
}
