//! Trying again, in the background, by whichever process is first.

use core::time::Duration;

use claviger_model::{Revocation, TenantId};
use claviger_store::StoreError;
use futures_util::StreamExt as _;
use futures_util::stream;

use super::HOLD_S;
use crate::broker::Inner;
use crate::serve::Chain;
use crate::{Broker, HoldError};

/// How often the queue is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// How many are tried at once, and in one look.
const AT_ONCE: usize = 8;
const MOST: usize = 256;

// === impl Broker ===

impl Broker {
    /// Tries what is owed to issuers whenever it is due, until the broker is closed.
    pub async fn drive_revocations(self) {
        let mut closed = self.inner.closed.subscribe();
        loop {
            tokio::select! {
                _closed = closed.wait_for(|is_closed| *is_closed) => return,
                () = self.inner.parts.clock.sleep(LOOK) => {}
            }
            self.try_revocations().await;
        }
    }

    /// Tries everything that is due now; says how many were tried.
    pub async fn try_revocations(&self) -> usize {
        match self.inner.due().await {
            Ok(due) => {
                let tries = stream::iter(due).map(async |row| self.inner.claim_and_try(row).await);
                let tried = tries.buffer_unordered(AT_ONCE);
                tried
                    .filter(|was_ours| core::future::ready(*was_ours))
                    .count()
                    .await
            }
            Err(error) => {
                tracing::debug!(error = %Chain(&error), "could not look at the revocations");
                0
            }
        }
    }

    /// Everything that a tenant still owes to issuers, the one to be tried next first.
    pub async fn revocations(&self, tenant: &TenantId) -> Result<Vec<Revocation>, HoldError> {
        let rows = self.inner.parts.store.tenant(tenant);
        Ok(rows.list_revocations().await?)
    }
}

// === impl Inner ===

impl Inner {
    async fn due(&self) -> Result<Vec<Revocation>, StoreError> {
        let now = self.parts.clock.now();
        let mut due = Vec::new();
        if self.is_held() {
            return Ok(due);
        }
        for tenant in self.parts.store.list_tenants().await? {
            let owed = self.parts.store.tenant(&tenant).list_revocations().await?;
            due.extend(owed.into_iter().filter(|row| row.next_at <= now));
        }
        due.truncate(MOST);
        Ok(due)
    }

    async fn claim_and_try(&self, mut row: Revocation) -> bool {
        let seen = row.next_at;
        let next_at = self.parts.clock.now().plus(HOLD_S);
        let rows = self.rows(&row.key);
        match rows.claim_revocation(&row.id, seen, next_at).await {
            Ok(true) => {}
            Ok(false) => return false,
            Err(error) => {
                tracing::debug!(error = %Chain(&error), "a revocation could not be claimed");
                return false;
            }
        }
        row.attempts = row.attempts.saturating_add(1);
        self.try_revocation(&row).await;
        true
    }
}
