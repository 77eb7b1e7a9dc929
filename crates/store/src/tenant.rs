//! The only handle to rows.

use std::sync::Arc;

use async_trait::async_trait;
use claviger_model::{AuditEntry, TenantId};

use crate::{
    ApiTokens, Audit, Changes, Connections, Credentials, Cursor, Estates, Installations, Keys,
    Leases, Registrations, Reseals, Revocations, Servers, SignIns, StoreError, Sweeps,
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

    /// The audit log of every node.
    fn audit(&self) -> Arc<dyn Audit>;

    /// What the database says of itself.
    fn installation(&self) -> Arc<dyn Installations>;

    /// Lists the tenants that have any row, by name.
    async fn list_tenants(&self) -> Result<Vec<TenantId>, StoreError>;

    /// What changed since a cursor, by any process. Without one: only where to begin.
    async fn list_changes(&self, since: Option<&Cursor>) -> Result<Changes, StoreError>;

    /// A number that changes whenever another process or connection may have written.
    async fn data_version(&self) -> Result<i64, StoreError>;
}

/// Everything one tenant has.
pub trait TenantStore:
    ApiTokens
    + Connections
    + Credentials
    + Estates
    + Leases
    + Registrations
    + Reseals
    + Revocations
    + Servers
    + SignIns
    + Sweeps
{
    /// A handle whose writes stand in one transaction with these entries of the audit log. A write
    /// that changes nothing records nothing. Of several writes each records them, so it is for one.
    fn recorded(&self, entries: &[AuditEntry]) -> Arc<dyn TenantStore>;
}
