//! The proof that everything opens.

use claviger_model::TenantId;
use claviger_store::{SealedRow, TenantStore};

use super::{TurnEvent, TurnSink, causes, describe};
use crate::{Broker, HoldError, VaultError};

/// How many rows of a kind a sample has, for each tenant.
const SAMPLE: u32 = 100;

/// How many are in memory at once, where all are tried.
const PAGE: u32 = 100;

/// Above every generation there can be.
const EVERY: u32 = i32::MAX.unsigned_abs();

// === impl Broker ===

impl Broker {
    /// Opens every key, and a sample of the rows or all of them. Nothing of it is handed out.
    pub async fn verify_keys(&self, all: bool, on: TurnSink<'_>) -> Result<(), HoldError> {
        for key in self.vault().list().await? {
            match self.vault().try_open(&key.id).await {
                Ok(()) => {}
                Err(error @ (VaultError::Store { .. } | VaultError::Unavailable { .. })) => {
                    return Err(error.into());
                }
                Err(error) => on(TurnEvent::Broken {
                    what: format!("the key {}", key.id),
                    why: causes(&error),
                }),
            }
            if let (Some(tenant), true) = (&key.id.tenant, key.is_newest) {
                if all {
                    self.verify_all_of(tenant, on).await?;
                } else {
                    self.verify_sample_of(tenant, on).await?;
                }
            }
        }
        Ok(())
    }

    async fn verify_sample_of(&self, tenant: &TenantId, on: TurnSink<'_>) -> Result<(), HoldError> {
        let rows = self.inner.parts.store.tenant(tenant);
        // Every generation there can be: also one that no key row has.
        let sample = rows.list_sealed_before(EVERY, SAMPLE).await?;
        let opened = self.verify_rows(&*rows, &sample, on).await?;
        on(TurnEvent::Verified {
            tenant: tenant.clone(),
            opened,
            done: count(&sample),
            total: None,
        });
        Ok(())
    }

    /// Page by page: what a tenant has need not fit into memory.
    async fn verify_all_of(&self, tenant: &TenantId, on: TurnSink<'_>) -> Result<(), HoldError> {
        let rows = self.inner.parts.store.tenant(tenant);
        let total = rows.count_sealed_before(EVERY).await?;
        let (mut done, mut last) = (0, None);
        loop {
            let page = rows.list_sealed(last.as_ref(), PAGE).await?;
            if page.is_empty() && done > 0 {
                return Ok(());
            }
            let opened = self.verify_rows(&*rows, &page, on).await?;
            done += count(&page);
            on(TurnEvent::Verified {
                tenant: tenant.clone(),
                opened,
                done,
                total: Some(total.max(done)),
            });
            last = page.into_iter().next_back();
            if last.is_none() {
                return Ok(());
            }
        }
    }

    /// How many of them open.
    async fn verify_rows(
        &self,
        rows: &dyn TenantStore,
        sealed: &[SealedRow],
        on: TurnSink<'_>,
    ) -> Result<u64, HoldError> {
        let mut opened = 0;
        for row in sealed {
            match self.inner.opens(rows, row).await {
                Ok(()) => opened += 1,
                Err(error) if error.may_pass() => return Err(error),
                Err(error) => on(TurnEvent::Broken {
                    what: describe(row),
                    why: causes(&error),
                }),
            }
        }
        Ok(opened)
    }
}

fn count(rows: &[SealedRow]) -> u64 {
    u64::try_from(rows.len()).unwrap_or(u64::MAX)
}

// === impl Inner ===

impl crate::broker::Inner {
    /// Whether what is sealed in a row opens, and says what the row says.
    async fn opens(&self, rows: &dyn TenantStore, row: &SealedRow) -> Result<(), HoldError> {
        if let SealedRow::Credential(row) = row {
            let server = rows.find_server_by_id(&row.key.server).await?;
            let Some(server) = server else {
                return Ok(());
            };
            return self.unseal(&server, row).await.map(drop);
        }
        self.resealed(rows, row).await.map(drop)
    }
}
