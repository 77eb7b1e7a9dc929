//! The catalogue.

use async_trait::async_trait;
use claviger_model::{Connection, Revocation, Server, ServerId, Slug};

use crate::StoreError;

/// One credential of a server that ends with its old settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purged {
    /// The fingerprint that was seen; another one in the database undoes the whole purge.
    pub fingerprint: Vec<u8>,
    /// Its connection from now on.
    pub connection: Connection,
    /// What is owed to the issuer, where it offers revocation.
    pub revocation: Option<Revocation>,
}

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
    /// Writes a server anew if it still is `seen`; [`StoreError::Conflict`] if somebody wrote another
    /// one in between, so that nobody's change is lost. False if there is no such server.
    async fn update_server(&self, seen: &Server, server: &Server) -> Result<bool, StoreError>;
    /// Deletes a server and all that hangs on it: credentials, connections, registrations,
    /// sign-ins, leases.
    async fn delete_server(&self, id: &ServerId) -> Result<bool, StoreError>;
    /// Writes a server anew like [`Servers::update_server`] and, in the same transaction, ends every
    /// credential it has, queues their revocations, ends its open sign-ins as cancelled, and makes
    /// its client information no longer current. `purged` names every credential:
    /// [`StoreError::Conflict`] if there is another one, or another fingerprint, and nothing is
    /// written then. False if there is no such server.
    async fn purge_server(
        &self,
        seen: &Server,
        server: &Server,
        purged: &[Purged],
    ) -> Result<bool, StoreError>;
    /// Deletes a server like [`Servers::delete_server`], and queues the revocations of its
    /// credentials with it; `purged` as for [`Servers::purge_server`].
    async fn surrender_server(&self, id: &ServerId, purged: &[Purged]) -> Result<bool, StoreError>;
}
