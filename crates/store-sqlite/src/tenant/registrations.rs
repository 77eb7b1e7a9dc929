//! Client information we received.

use async_trait::async_trait;
use claviger_model::{Registration, RegistrationId, ServerId, TenantId, Timestamp};
use claviger_store::{Registrations, StoreError};

use super::SqliteTenant;
use crate::columns::{instant, text, to_text};
use crate::error::store_error;
use crate::queries::registrations::{self, RegistrationRow};

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
            .map(|row| read(&self.tenant, row))
            .transpose()
    }

    async fn list_registrations(&self, server: &ServerId) -> Result<Vec<Registration>, StoreError> {
        let mut db = self.pool.read().await?;
        let rows = registrations::list(&mut db, &self.tenant, server.as_str())
            .await
            .map_err(store_error)?;
        rows.into_iter()
            .map(|row| read(&self.tenant, row))
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
            .map(|row| read(&self.tenant, row))
            .transpose()
    }

    async fn insert_registration(&self, registration: &Registration) -> Result<(), StoreError> {
        self.must_own(&registration.tenant)?;
        let row = row(registration)?;
        let mut db = self.pool.write().await?;
        registrations::retire_current(&mut db, &self.tenant, &row.server_id, &row.issuer)
            .await
            .map_err(store_error)?;
        registrations::insert(&mut db, &self.tenant, row)
            .await
            .map_err(store_error)?;
        db.commit().await.map_err(store_error)
    }

    async fn retire_registration(&self, id: &RegistrationId) -> Result<bool, StoreError> {
        let mut db = self.pool.write().await?;
        let retired = registrations::retire(&mut db, &self.tenant, id.as_str())
            .await
            .map_err(store_error)?;
        db.commit().await.map_err(store_error)?;
        Ok(retired > 0)
    }
}

fn row(registration: &Registration) -> Result<RegistrationRow, StoreError> {
    Ok(RegistrationRow {
        id: registration.id.as_str().to_owned(),
        server_id: registration.server.as_str().to_owned(),
        issuer: registration.issuer.clone(),
        origin: to_text(&registration.origin, "registrations.origin")?,
        client_id: registration.client_id.clone(),
        auth_method: registration.auth_method.clone(),
        redirect_uri: registration.redirect_uri.clone(),
        secret_expires_at: registration.secret_expires_at.map(Timestamp::as_secs),
        registration_client_uri: registration.registration_client_uri.clone(),
        sealed: registration.sealed.clone(),
        created_at: registration.created_at.as_secs(),
    })
}

fn read(tenant: &TenantId, row: RegistrationRow) -> Result<Registration, StoreError> {
    Ok(Registration {
        id: text(row.id, "registrations.id")?,
        tenant: tenant.clone(),
        server: text(row.server_id, "registrations.server_id")?,
        issuer: row.issuer,
        origin: text(row.origin, "registrations.origin")?,
        client_id: row.client_id,
        auth_method: row.auth_method,
        redirect_uri: row.redirect_uri,
        secret_expires_at: row.secret_expires_at.map(instant),
        registration_client_uri: row.registration_client_uri,
        sealed: row.sealed,
        created_at: instant(row.created_at),
    })
}
