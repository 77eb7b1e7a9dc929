//! Who may refresh a credential.

use async_trait::async_trait;
use claviger_model::CredentialKey;
use claviger_store::{Lease, Leases, StoreError};

use super::PostgresTenant;
use crate::clock::now_ms;
use crate::queries::columns::{number, to_number};
use crate::queries::leases;
use crate::retry::retry;

#[async_trait]
impl Leases for PostgresTenant {
    async fn acquire_lease(
        &self,
        key: &CredentialKey,
        owner: &str,
        ttl_ms: u32,
    ) -> Result<Option<Lease>, StoreError> {
        self.must_own(&key.tenant)?;
        let epoch = retry(|| async {
            let mut db = self.write().await?;
            // Read before the row is waited for: too early a time frees no lease too early.
            let now = now_ms(&mut db).await?;
            let until = now.saturating_add(i64::from(ttl_ms));
            let epoch = leases::acquire(&mut db, key.into(), owner, now, until).await?;
            if epoch.is_some() {
                self.finish(db, &[]).await?;
            }
            Ok(epoch)
        })
        .await?;
        epoch
            .map(|epoch| {
                Ok(Lease {
                    owner: owner.to_owned(),
                    epoch: number(epoch, "leases.epoch")?,
                })
            })
            .transpose()
    }

    async fn release_lease(&self, key: &CredentialKey, lease: &Lease) -> Result<(), StoreError> {
        self.must_own(&key.tenant)?;
        let epoch = to_number(lease.epoch, "leases.epoch")?;
        retry(|| async {
            let mut db = self.write().await?;
            let released = leases::release(&mut db, key.into(), &lease.owner, epoch).await?;
            self.finish_if(released > 0, db, &[]).await.map(drop)
        })
        .await
    }
}
