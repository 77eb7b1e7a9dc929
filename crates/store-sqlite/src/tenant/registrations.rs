//! Client information we received.

use async_trait::async_trait;
use claviger_model::{Registration, RegistrationId, ServerId};
use claviger_store::{Registrations, StoreError};

use super::SqliteTenant;
use crate::error::store_error;
use crate::queries::registrations;

#[async_trait]
impl Registrations for SqliteTenant {
    async fn find_registration(
        &self,
        server: &ServerId,
        issuer: &str,
    ) -> Result<Option<Registration>, StoreError> {
        let mut db = self.pool.read().await?;
        registrations::find_current(&mut db, &self.tenant, server.as_str(), issuer)
            .await
            .map_err(store_error)?
            .map(|row| registrations::read(&self.tenant, row))
            .transpose()
    }

    async fn list_registrations(&self, server: &ServerId) -> Result<Vec<Registration>, StoreError> {
        let mut db = self.pool.read().await?;
        let rows = registrations::list(&mut db, &self.tenant, server.as_str())
            .await
            .map_err(store_error)?;
        rows.into_iter()
            .map(|row| registrations::read(&self.tenant, row))
            .collect()
    }

    async fn find_registration_by_id(
        &self,
        id: &RegistrationId,
    ) -> Result<Option<Registration>, StoreError> {
        let mut db = self.pool.read().await?;
        registrations::find_by_id(&mut db, &self.tenant, id.as_str())
            .await
            .map_err(store_error)?
            .map(|row| registrations::read(&self.tenant, row))
            .transpose()
    }

    async fn insert_registration(&self, registration: &Registration) -> Result<(), StoreError> {
        self.must_own(&registration.tenant)?;
        let row = registrations::row(registration)?;
        self.pool
            .write(|mut db| async move {
                registrations::retire_current(&mut db, &self.tenant, &row.server_id, &row.issuer)
                    .await
                    .map_err(store_error)?;
                registrations::insert(&mut db, &self.tenant, row)
                    .await
                    .map_err(store_error)?;
                self.finish(db, &[]).await
            })
            .await
    }

    async fn retire_registration(&self, id: &RegistrationId) -> Result<bool, StoreError> {
        self.pool
            .write(|mut db| async move {
                let retired = registrations::retire(&mut db, &self.tenant, id.as_str())
                    .await
                    .map_err(store_error)?;
                self.finish_if(retired > 0, db, &[]).await
            })
            .await
    }
}
