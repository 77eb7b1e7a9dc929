//! The rows of one tenant.

use std::sync::Arc;

use claviger_model::{CredentialKey, TenantId};
use claviger_store::{StoreError, TenantStore};

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
}

impl TenantStore for SqliteTenant {}

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
