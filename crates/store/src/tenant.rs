//! The only handle to rows.

use std::sync::Arc;

use async_trait::async_trait;
use claviger_model::TenantId;

use crate::{
    ApiTokens, Connections, Credentials, Keys, Leases, Registrations, Servers, SignIns, StoreError,
};

/// A database.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The rows of one tenant.
    fn tenant(&self, tenant: &TenantId) -> Arc<dyn TenantStore>;

    /// The wrapped keys, of the installation and of every tenant.
    fn keys(&self) -> Arc<dyn Keys>;

    /// Finds the tenant of an API token or a sign-in by keyed MAC; nothing else is told.
    async fn locate(&self, mac: &[u8]) -> Result<Option<TenantId>, StoreError>;

    /// A number that changes whenever another process or connection may have written.
    async fn data_version(&self) -> Result<i64, StoreError>;
}

/// Everything one tenant has.
pub trait TenantStore:
    ApiTokens + Connections + Credentials + Leases + Registrations + Servers + SignIns
{
}
