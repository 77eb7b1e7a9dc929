//! What a tenant that ended still owes: the installation's own tenant owes it from then on.
//!
//! The tenant's keys are destroyed in the transaction that ends it, so that nothing of it opens any
//! more, here or in a copy of the rows. Its debts must still be sent, for as long as an issuer is
//! away: they are sealed anew, as the default tenant's.

use claviger_model::{CredentialKey, Revocation, RevocationId, TenantId};

use claviger_store::StoreError;

use super::record::Owed;
use super::told;
use crate::HoldError;
use crate::broker::Inner;

// === impl Inner ===

impl Inner {
    /// The same debt, as the heir's.
    pub(crate) async fn inherited(&self, row: &Revocation) -> Result<Revocation, HoldError> {
        let owed = Owed::open(self, row).await?;
        self.seal_inherited(row, &owed).await
    }

    pub(super) async fn seal_inherited(
        &self,
        row: &Revocation,
        owed: &Owed,
    ) -> Result<Revocation, HoldError> {
        let mut fresh = Revocation {
            id: RevocationId::from_random(self.parts.entropy.id_bytes()),
            key: CredentialKey {
                tenant: TenantId::default_tenant(),
                ..row.key.clone()
            },
            server_name: format!("{}/{}", row.key.tenant, row.server_name),
            ..row.clone()
        };
        fresh.sealed = owed.seal(self, &fresh).await?;
        Ok(fresh)
    }

    /// Whether a tenant has ended: it has no key, and whatever was obtained for it had to be sealed
    /// with one.
    pub(super) async fn has_ended(&self, tenant: &TenantId) -> Result<bool, HoldError> {
        let is_heir = *tenant == TenantId::default_tenant();
        Ok(!is_heir && !self.parts.vault.has_key(tenant).await?)
    }

    /// Queues a debt. If its tenant ended meanwhile (A220), nobody could open it there.
    pub(super) async fn queue_debt(&self, row: Revocation) -> Result<Revocation, HoldError> {
        let error = match self.insert_debt(&row).await {
            Ok(()) => return Ok(row),
            Err(error) => error,
        };
        // With the key that may be in memory still.
        let owed = Owed::open(self, &row).await?;
        self.parts.vault.reload().await?;
        if !self.has_ended(&row.key.tenant).await? {
            return Err(error.into());
        }
        let row = self.seal_inherited(&row, &owed).await?;
        self.insert_debt(&row).await?;
        Ok(row)
    }

    async fn insert_debt(&self, row: &Revocation) -> Result<(), StoreError> {
        let note = told::queued(row);
        let (draft, rows) = self.parts.audit.change(&row.key.tenant, note).await?;
        draft.settle(rows.insert_revocation(row).await)
    }
}
