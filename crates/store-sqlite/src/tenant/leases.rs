//! Who may refresh a credential.

use async_trait::async_trait;
use claviger_model::CredentialKey;
use claviger_store::{Intended, Lease, Leases, StoreError};

use super::SqliteTenant;
use crate::clock::now_ms;
use crate::error::store_error;
use crate::queries::columns::{number, to_number};
use crate::queries::leases;

#[async_trait]
impl Leases for SqliteTenant {
    async fn acquire_lease(
        &self,
        key: &CredentialKey,
        owner: &str,
        ttl_ms: u32,
    ) -> Result<Option<Lease>, StoreError> {
        self.must_own(&key.tenant)?;
        self.pool
            .write(|mut db| async move {
                let now = now_ms(&mut db).await.map_err(store_error)?;
                let until = now.saturating_add(i64::from(ttl_ms));
                let epoch = leases::acquire(&mut db, key.into(), owner, now, until)
                    .await
                    .map_err(store_error)?;
                let Some(epoch) = epoch else {
                    return Ok(None);
                };
                self.finish(db, &[]).await?;
                Ok(Some(Lease {
                    owner: owner.to_owned(),
                    epoch: number(epoch, "leases.epoch")?,
                }))
            })
            .await
    }

    async fn release_lease(&self, key: &CredentialKey, lease: &Lease) -> Result<(), StoreError> {
        self.must_own(&key.tenant)?;
        let epoch = to_number(lease.epoch, "leases.epoch")?;
        self.pool
            .write(|mut db| async move {
                let released = leases::release(&mut db, key.into(), &lease.owner, epoch)
                    .await
                    .map_err(store_error)?;
                self.finish_if(released > 0, db, &[]).await.map(drop)
            })
            .await
    }

    async fn declare_intent(
        &self,
        key: &CredentialKey,
        lease: &Lease,
        sent: &[u8],
    ) -> Result<Intended, StoreError> {
        self.must_own(&key.tenant)?;
        let epoch = to_number(lease.epoch, "leases.epoch")?;
        let owner = lease.owner.as_str();
        self.pool
            .write(|mut db| async move {
                let before = leases::find_sent(&mut db, key.into(), owner, epoch)
                    .await
                    .map_err(store_error)?;
                let declared = leases::declare(&mut db, key.into(), owner, epoch, sent)
                    .await
                    .map_err(store_error)?;
                if declared == 0 {
                    return Ok(Intended::Superseded);
                }
                self.finish(db, &[]).await?;
                Ok(if before.flatten().as_deref() == Some(sent) {
                    Intended::WasLeft
                } else {
                    Intended::Declared
                })
            })
            .await
    }

    async fn withdraw_intent(
        &self,
        key: &CredentialKey,
        lease: &Lease,
        sent: &[u8],
    ) -> Result<bool, StoreError> {
        self.must_own(&key.tenant)?;
        let epoch = to_number(lease.epoch, "leases.epoch")?;
        self.pool
            .write(|mut db| async move {
                let withdrawn = leases::withdraw(&mut db, key.into(), &lease.owner, epoch, sent)
                    .await
                    .map_err(store_error)?;
                self.finish_if(withdrawn > 0, db, &[]).await
            })
            .await
    }
}
