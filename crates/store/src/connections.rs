//! How users stand with servers.

use async_trait::async_trait;
use claviger_model::{Connection, CredentialKey, ServerId};

use crate::StoreError;

/// Connections of one tenant.
#[async_trait]
pub trait Connections: Send + Sync {
    /// Finds a connection.
    async fn find_connection(&self, key: &CredentialKey) -> Result<Option<Connection>, StoreError>;
    /// Lists the connections to one server, by user and account.
    async fn list_connections(&self, server: &ServerId) -> Result<Vec<Connection>, StoreError>;
    /// Writes a connection, whether or not it exists.
    async fn update_connection(&self, connection: &Connection) -> Result<(), StoreError>;
}
