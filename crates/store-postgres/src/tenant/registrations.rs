//! Client information we received.

use async_trait::async_trait;
use claviger_model::{Registration, RegistrationId, ServerId};
use claviger_store::{Registrations, StoreError};

use super::PostgresTenant;
use crate::queries::registrations;
use crate::retry::retry;

#[async_trait]
impl Registrations for PostgresTenant {
    async fn find_registration(
        &self,
        server: &ServerId,
        issuer: &str,
    ) -> Result<Option<Registration>, StoreError> {
        let row = retry(|| async {
            let mut db = self.read().await?;
            let server = server.as_str();
            Ok(registrations::find_current(&mut db, &self.tenant, server, issuer).await?)
        });
        let row = row.await?;
        row.map(|row| registrations::read(&self.tenant, row))
            .transpose()
    }

    async fn list_registrations(&self, server: &ServerId) -> Result<Vec<Registration>, StoreError> {
        let rows = retry(|| async {
            let mut db = self.read().await?;
            Ok(registrations::list(&mut db, &self.tenant, server.as_str()).await?)
        });
        let rows = rows.await?.into_iter();
        rows.map(|row| registrations::read(&self.tenant, row))
            .collect()
    }

    async fn find_registration_by_id(
        &self,
        id: &RegistrationId,
    ) -> Result<Option<Registration>, StoreError> {
        let row = retry(|| async {
            let mut db = self.read().await?;
            Ok(registrations::find_by_id(&mut db, &self.tenant, id.as_str()).await?)
        });
        let row = row.await?;
        row.map(|row| registrations::read(&self.tenant, row))
            .transpose()
    }

    async fn insert_registration(&self, registration: &Registration) -> Result<(), StoreError> {
        self.must_own(&registration.tenant)?;
        retry(|| async {
            let row = registrations::row(registration)?;
            let mut db = self.write().await?;
            registrations::retire_current(&mut db, &self.tenant, &row.server_id, &row.issuer)
                .await?;
            registrations::insert(&mut db, &self.tenant, row).await?;
            self.finish(db, &[]).await
        })
        .await
    }

    async fn retire_registration(&self, id: &RegistrationId) -> Result<bool, StoreError> {
        retry(|| async {
            let mut db = self.write().await?;
            let retired = registrations::retire(&mut db, &self.tenant, id.as_str()).await?;
            self.finish_if(retired > 0, db, &[]).await
        })
        .await
    }
}
