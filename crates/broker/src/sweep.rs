//! What has done its duty goes: sign-ins that ended, client information nothing hangs on, API
//! tokens that expired. Any node may do it, and several at once do no harm.

use claviger_model::TenantId;
use claviger_store::StoreError;

use crate::serve::Chain;
use crate::{Broker, HoldError};

/// What one sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Rows that went.
    pub rows: u64,
    /// Registrations that issuers took back.
    pub registrations: u32,
}

/// How long what ended is still there, in seconds: far longer than any link, `state` or question
/// about it lives.
const KEPT_S: i64 = 86_400;

impl Broker {
    /// Sweeps every tenant.
    pub async fn sweep(&self) -> Result<Swept, HoldError> {
        let mut swept = Swept::default();
        for tenant in self.inner.parts.store.list_tenants().await? {
            swept.registrations += self.deregister_unused(&tenant).await?;
            let now = self.inner.parts.clock.now();
            let rows = self.inner.parts.store.tenant(&tenant);
            swept.rows += rows.sweep(now, now.plus(-KEPT_S)).await?;
        }
        Ok(swept)
    }

    /// What an issuer does not take back is forgotten here all the same.
    async fn deregister_unused(&self, tenant: &TenantId) -> Result<u32, StoreError> {
        let rows = self.inner.parts.store.tenant(tenant);
        let mut gone = 0;
        for server in rows.list_servers().await? {
            match self.inner.deregister_unused(&server).await {
                Ok(count) => gone += count,
                Err(error) => {
                    tracing::debug!(server = %server.slug, error = %Chain(&error), "registrations could not be taken back");
                }
            }
        }
        Ok(gone)
    }
}
