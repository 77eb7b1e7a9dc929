//! The rows of one tenant.

use std::sync::Arc;

use claviger_model::{AuditEntry, CredentialKey, TenantId};
use claviger_store::{Change, StoreError, TenantStore};

use crate::error::OtherTenant;
use crate::finish::finish;
use crate::pool::{Pool, Unit};

mod api_tokens;
mod connections;
mod credentials;
mod estates;
mod leases;
mod registrations;
mod reseals;
mod revocations;
mod servers;
mod sign_ins;
mod sweeps;

/// The rows of one tenant in a file. Its tenant goes into every statement.
pub(crate) struct SqliteTenant {
    pub(crate) pool: Arc<Pool>,
    pub(crate) tenant: TenantId,
    /// What stands in one transaction with whatever is written.
    pub(crate) entries: Vec<AuditEntry>,
}

impl TenantStore for SqliteTenant {
    fn recorded(&self, entries: &[AuditEntry]) -> Arc<dyn TenantStore> {
        Arc::new(Self {
            pool: Arc::clone(&self.pool),
            tenant: self.tenant.clone(),
            entries: entries.to_vec(),
        })
    }
}

impl SqliteTenant {
    /// Ends a unit that changed something: with what others must hear of, and with the entries.
    async fn finish(&self, db: Unit, changes: &[Change]) -> Result<(), StoreError> {
        for tenant in self
            .entries
            .iter()
            .filter_map(|entry| entry.tenant.as_ref())
        {
            self.must_own(tenant)?;
        }
        finish(db, changes, &self.entries).await
    }

    /// Ends a unit, and says whether it changed something; nothing is left of one that did not.
    async fn finish_if(
        &self,
        is_changed: bool,
        db: Unit,
        changes: &[Change],
    ) -> Result<bool, StoreError> {
        if is_changed {
            self.finish(db, changes).await?;
        }
        Ok(is_changed)
    }

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
