//! Revocations that are still owed.

use async_trait::async_trait;
use claviger_model::{Connection, CredentialKey, Revocation, RevocationId, Timestamp};
use claviger_store::{Change, Guarded, Revocations, StoreError};

use super::SqliteTenant;
use crate::error::store_error;
use crate::queries::columns::number;
use crate::queries::{connections, credentials, revocations};

#[async_trait]
impl Revocations for SqliteTenant {
    async fn surrender_credential(
        &self,
        key: &CredentialKey,
        seen: &[u8],
        connection: &Connection,
        revocation: &Revocation,
    ) -> Result<Guarded, StoreError> {
        self.must_own_both(key, &connection.key)?;
        self.must_own(&revocation.key.tenant)?;
        let standing = connections::row(connection)?;
        self.pool
            .write(|mut db| async move {
                let version = credentials::delete(&mut db, key.into(), seen)
                    .await
                    .map_err(store_error)?;
                let Some(version) = version else {
                    return Ok(Guarded::Superseded);
                };
                connections::write(&mut db, &self.tenant, standing)
                    .await
                    .map_err(store_error)?;
                revocations::insert(&mut db, &self.tenant, revocations::row(revocation))
                    .await
                    .map_err(store_error)?;
                let changes = [Change::Credential(key.clone(), None)];
                self.finish(db, &changes).await?;
                number(version, "credentials.version").map(Guarded::Written)
            })
            .await
    }

    async fn insert_revocation(&self, revocation: &Revocation) -> Result<(), StoreError> {
        self.must_own(&revocation.key.tenant)?;
        self.pool
            .write(|mut db| async move {
                revocations::insert(&mut db, &self.tenant, revocations::row(revocation))
                    .await
                    .map_err(store_error)?;
                self.finish(db, &[]).await
            })
            .await
    }

    async fn list_revocations(&self) -> Result<Vec<Revocation>, StoreError> {
        let mut db = self.pool.read().await?;
        let rows = revocations::list(&mut db, &self.tenant)
            .await
            .map_err(store_error)?;
        rows.into_iter()
            .map(|row| revocations::read(&self.tenant, row))
            .collect()
    }

    async fn claim_revocation(
        &self,
        id: &RevocationId,
        seen: Timestamp,
        next_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let (seen, next_at) = (seen.as_secs(), next_at.as_secs());
        self.pool
            .write(|mut db| async move {
                let claimed = revocations::claim(&mut db, &self.tenant, id.as_str(), seen, next_at)
                    .await
                    .map_err(store_error)?;
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
        self.pool
            .write(|mut db| async move {
                let written = revocations::postpone(&mut db, &self.tenant, id, next_at, failure)
                    .await
                    .map_err(store_error)?;
                self.finish_if(written > 0, db, &[]).await
            })
            .await
    }

    async fn delete_revocation(&self, id: &RevocationId) -> Result<bool, StoreError> {
        self.pool
            .write(|mut db| async move {
                let deleted = revocations::delete(&mut db, &self.tenant, id.as_str())
                    .await
                    .map_err(store_error)?;
                self.finish_if(deleted > 0, db, &[]).await
            })
            .await
    }
}
