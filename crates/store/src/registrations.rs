//! Client information we received.

use async_trait::async_trait;
use claviger_model::{Registration, RegistrationId, ServerId};

use crate::StoreError;

/// Client information of one tenant. At most one per (server, issuer) is current.
#[async_trait]
pub trait Registrations: Send + Sync {
    /// The current one for a server at an issuer.
    async fn find_registration(
        &self,
        server: &ServerId,
        issuer: &str,
    ) -> Result<Option<Registration>, StoreError>;
    /// All that were ever made for a server, oldest first.
    async fn list_registrations(&self, server: &ServerId) -> Result<Vec<Registration>, StoreError>;
    /// One by its id, current or not: a credential keeps the one it was obtained with.
    async fn find_registration_by_id(
        &self,
        id: &RegistrationId,
    ) -> Result<Option<Registration>, StoreError>;
    /// Adds one and makes it the current one for its server and issuer.
    async fn insert_registration(&self, registration: &Registration) -> Result<(), StoreError>;
    /// Makes it no longer current; credentials that hang on it stay.
    async fn retire_registration(&self, id: &RegistrationId) -> Result<bool, StoreError>;
}
