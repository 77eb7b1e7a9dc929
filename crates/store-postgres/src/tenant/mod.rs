//! The rows of one tenant.

mod api_tokens;
mod connections;
mod credentials;
mod leases;
mod registrations;
mod servers;
mod sign_ins;

use std::sync::Arc;

use claviger_model::{AuditEntry, CredentialKey, TenantId};
use claviger_store::{Reseals, Revocations, StoreError, Sweeps, TenantStore};

use crate::db::Db;
use crate::error::OtherTenant;
use crate::pool::{Pool, Scope};

/// The handle to the rows of one tenant.
pub(crate) struct PostgresTenant {
    pub(crate) pool: Arc<Pool>,
    pub(crate) tenant: TenantId,
    /// What stands in one transaction with whatever is written.
    pub(crate) entry: Option<AuditEntry>,
}

impl TenantStore for PostgresTenant {
    fn recorded(&self, entry: &AuditEntry) -> Arc<dyn TenantStore> {
        Arc::new(Self {
            pool: Arc::clone(&self.pool),
            tenant: self.tenant.clone(),
            entry: Some(entry.clone()),
        })
    }
}

impl Reseals for PostgresTenant {}
impl Revocations for PostgresTenant {}
impl Sweeps for PostgresTenant {}

impl PostgresTenant {
    async fn read(&self) -> sqlx::Result<Db> {
        self.pool.read(Scope::Tenant(&self.tenant)).await
    }

    async fn write(&self) -> sqlx::Result<Db> {
        self.pool.write(Scope::Tenant(&self.tenant)).await
    }

    /// A row of another tenant is never written through this handle.
    fn must_own(&self, tenant: &TenantId) -> Result<(), StoreError> {
        if self.owns(tenant) {
            return Ok(());
        }
        Err(StoreError::Failed {
            source: OtherTenant.into(),
        })
    }

    /// What is another tenant's is not there (A213).
    fn owns(&self, tenant: &TenantId) -> bool {
        *tenant == self.tenant
    }

    fn must_own_both(&self, one: &CredentialKey, other: &CredentialKey) -> Result<(), StoreError> {
        self.must_own(&one.tenant)?;
        self.must_own(&other.tenant)
    }
}
