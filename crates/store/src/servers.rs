//! The catalogue.

use async_trait::async_trait;
use claviger_model::{Server, ServerId, Slug};

use crate::StoreError;

/// Servers of one tenant.
#[async_trait]
pub trait Servers: Send + Sync {
    /// Adds a server; [`StoreError::Conflict`] if the slug is taken.
    async fn insert_server(&self, server: &Server) -> Result<(), StoreError>;
    /// Finds a server by its slug.
    async fn find_server(&self, slug: &Slug) -> Result<Option<Server>, StoreError>;
    /// Finds a server by its id.
    async fn find_server_by_id(&self, id: &ServerId) -> Result<Option<Server>, StoreError>;
    /// Lists servers by slug.
    async fn list_servers(&self) -> Result<Vec<Server>, StoreError>;
    /// Writes a server anew.
    async fn update_server(&self, server: &Server) -> Result<bool, StoreError>;
    /// Deletes a server and all that hangs on it: credentials, connections, registrations,
    /// sign-ins, leases.
    async fn delete_server(&self, id: &ServerId) -> Result<bool, StoreError>;
}
