//! Revocations that are still owed.

use async_trait::async_trait;
use claviger_model::{Connection, CredentialKey, Revocation, RevocationId, Timestamp};
use claviger_store::{Change, Guarded, Revocations, StoreError};

use super::PostgresTenant;
use super::credentials::guarded;
use crate::queries::{connections, credentials, revocations};
use crate::retry::retry;

#[async_trait]
impl Revocations for PostgresTenant {
    async fn surrender_credential(
        &self,
        key: &CredentialKey,
        seen: &[u8],
        connection: &Connection,
        revocation: &Revocation,
    ) -> Result<Guarded, StoreError> {
        self.must_own_both(key, &connection.key)?;
        self.must_own(&revocation.key.tenant)?;
        let version = retry(|| async {
            let standing = connections::row(connection)?;
            let mut db = self.write().await?;
            let version = credentials::delete(&mut db, key.into(), seen).await?;
            if version.is_some() {
                let owed = revocations::row(revocation);
                connections::write(&mut db, &self.tenant, standing).await?;
                revocations::insert(&mut db, &self.tenant, owed).await?;
                let changes = [Change::Credential(key.clone(), None)];
                self.finish(db, &changes).await?;
            }
            Ok(version)
        });
        guarded(version.await?)
    }

    async fn insert_revocation(&self, revocation: &Revocation) -> Result<(), StoreError> {
        self.must_own(&revocation.key.tenant)?;
        retry(|| async {
            let mut db = self.write().await?;
            revocations::insert(&mut db, &self.tenant, revocations::row(revocation)).await?;
            self.finish(db, &[]).await
        })
        .await
    }

    async fn list_revocations(&self) -> Result<Vec<Revocation>, StoreError> {
        let rows = retry(|| async {
            let mut db = self.read().await?;
            Ok(revocations::list(&mut db, &self.tenant).await?)
        });
        let rows = rows.await?.into_iter();
        rows.map(|row| revocations::read(&self.tenant, row))
            .collect()
    }

    async fn claim_revocation(
        &self,
        id: &RevocationId,
        seen: Timestamp,
        next_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let (id, seen, next_at) = (id.as_str(), seen.as_secs(), next_at.as_secs());
        retry(|| async {
            let mut db = self.write().await?;
            let claimed = revocations::claim(&mut db, &self.tenant, id, seen, next_at).await?;
            self.finish_if(claimed > 0, db, &[]).await
        })
        .await
    }

    async fn postpone_revocation(
        &self,
        id: &RevocationId,
        next_at: Timestamp,
        failure: &str,
    ) -> Result<bool, StoreError> {
        let (id, next_at) = (id.as_str(), next_at.as_secs());
        retry(|| async {
            let mut db = self.write().await?;
            let written =
                revocations::postpone(&mut db, &self.tenant, id, next_at, failure).await?;
            self.finish_if(written > 0, db, &[]).await
        })
        .await
    }

    async fn delete_revocation(&self, id: &RevocationId) -> Result<bool, StoreError> {
        retry(|| async {
            let mut db = self.write().await?;
            let deleted = revocations::delete(&mut db, &self.tenant, id.as_str()).await?;
            self.finish_if(deleted > 0, db, &[]).await
        })
        .await
    }
}
