//! The rows of one tenant.

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

use std::sync::Arc;

use claviger_model::{AuditEntry, CredentialKey, TenantId};
use claviger_store::{Change, StoreError, TenantStore};

use crate::db::Db;
use crate::error::{Failure, OtherTenant};
use crate::finish::finish;
use crate::pool::{Pool, Scope};

/// The handle to the rows of one tenant.
pub(crate) struct PostgresTenant {
    pub(crate) pool: Arc<Pool>,
    pub(crate) tenant: TenantId,
    /// What stands in one transaction with whatever is written.
    pub(crate) entries: Vec<AuditEntry>,
}

impl TenantStore for PostgresTenant {
    fn recorded(&self, entries: &[AuditEntry]) -> Arc<dyn TenantStore> {
        Arc::new(Self {
            pool: Arc::clone(&self.pool),
            tenant: self.tenant.clone(),
            entries: entries.to_vec(),
        })
    }
}

impl PostgresTenant {
    async fn read(&self) -> sqlx::Result<Db> {
        self.pool.read(Scope::Tenant(&self.tenant)).await
    }

    async fn write(&self) -> sqlx::Result<Db> {
        self.pool.write(Scope::Tenant(&self.tenant)).await
    }

    /// Ends a unit that changed something: with what others must hear of, and with the entries.
    async fn finish(&self, db: Db, changes: &[Change]) -> Result<(), Failure> {
        self.must_own_entries()?;
        finish(db, changes, &self.entries).await
    }

    /// Nothing is written with an entry of another tenant.
    fn must_own_entries(&self) -> Result<(), StoreError> {
        let tenants = self
            .entries
            .iter()
            .filter_map(|entry| entry.tenant.as_ref());
        for tenant in tenants {
            self.must_own(tenant)?;
        }
        Ok(())
    }

    /// Ends a unit, and says whether it changed something; nothing is left of one that did not.
    async fn finish_if(
        &self,
        is_changed: bool,
        db: Db,
        changes: &[Change],
    ) -> Result<bool, Failure> {
        if is_changed {
            self.finish(db, changes).await?;
        }
        Ok(is_changed)
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
