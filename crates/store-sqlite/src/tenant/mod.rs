//! The rows of one tenant.

use std::sync::Arc;

use claviger_model::{AuditEntry, CredentialKey, TenantId};
use claviger_store::{Reseals, Revocations, StoreError, Sweeps, TenantStore};

use crate::error::OtherTenant;
use crate::pool::Pool;

mod api_tokens;
mod connections;
mod credentials;
mod leases;
mod registrations;
mod servers;
mod sign_ins;

/// The rows of one tenant in a file. Its tenant goes into every statement.
pub(crate) struct SqliteTenant {
    pub(crate) pool: Arc<Pool>,
    pub(crate) tenant: TenantId,
    /// What stands in one transaction with whatever is written.
    pub(crate) entry: Option<AuditEntry>,
}

impl TenantStore for SqliteTenant {
    fn recorded(&self, entry: &AuditEntry) -> Arc<dyn TenantStore> {
        Arc::new(Self {
            pool: Arc::clone(&self.pool),
            tenant: self.tenant.clone(),
            entry: Some(entry.clone()),
        })
    }
}

impl Reseals for SqliteTenant {}
impl Revocations for SqliteTenant {}
impl Sweeps for SqliteTenant {}

impl SqliteTenant {
    /// Nothing is written through the handle of another tenant (A213).
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
