//! The proof that everything opens.

use claviger_model::TenantId;
use claviger_store::SealedRow;

use super::{TurnEvent, TurnSink, causes, describe};
use crate::{Broker, HoldError, VaultError};

/// How many rows of a kind a sample has, for each tenant.
const SAMPLE: u32 = 100;

/// As many as the databases can count.
const ALL: u32 = i32::MAX.unsigned_abs();

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
                self.verify_tenant(tenant, if all { ALL } else { SAMPLE }, on)
                    .await?;
            }
        }
        Ok(())
    }

    async fn verify_tenant(
        &self,
        tenant: &TenantId,
        limit: u32,
        on: TurnSink<'_>,
    ) -> Result<(), HoldError> {
        let rows = self.inner.parts.store.tenant(tenant);
        // Every generation there can be: also one that no key row has.
        let sealed = rows.list_sealed_before(ALL, limit).await?;
        let mut opened = 0;
        for row in sealed {
            match self.inner.opens(&*rows, &row).await {
                Ok(()) => opened += 1,
                Err(error) if error.may_pass() => return Err(error),
                Err(error) => on(TurnEvent::Broken {
                    what: describe(&row),
                    why: causes(&error),
                }),
            }
        }
        on(TurnEvent::Verified {
            tenant: tenant.clone(),
            rows: opened,
        });
        Ok(())
    }
}

// === impl Inner ===

impl crate::broker::Inner {
    /// Whether what is sealed in a row opens, and says what the row says.
    async fn opens(
        &self,
        rows: &dyn claviger_store::TenantStore,
        row: &SealedRow,
    ) -> Result<(), HoldError> {
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
