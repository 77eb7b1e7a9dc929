//! The credentials we hold.

use async_trait::async_trait;
use claviger_model::{Connection, Credential, CredentialKey, ServerId, UserId};
use claviger_store::{Change, Credentials, Guarded, StoreError};

use super::SqliteTenant;
use crate::error::store_error;
use crate::queries::columns::number;
use crate::queries::{connections, credentials};

#[async_trait]
impl Credentials for SqliteTenant {
    async fn find_credential(&self, key: &CredentialKey) -> Result<Option<Credential>, StoreError> {
        if !self.owns(&key.tenant) {
            return Ok(None);
        }
        let mut db = self.pool.read().await?;
        credentials::find(&mut db, key.into())
            .await
            .map_err(store_error)?
            .map(|row| credentials::read(&self.tenant, row))
            .transpose()
    }

    async fn list_credentials(&self, server: &ServerId) -> Result<Vec<Credential>, StoreError> {
        let mut db = self.pool.read().await?;
        let rows = credentials::list(&mut db, &self.tenant, server.as_str())
            .await
            .map_err(store_error)?;
        rows.into_iter()
            .map(|row| credentials::read(&self.tenant, row))
            .collect()
    }

    async fn replace_credential(
        &self,
        credential: &Credential,
        connection: &Connection,
    ) -> Result<(), StoreError> {
        self.must_own_both(&credential.key, &connection.key)?;
        let (row, standing) = (credentials::row(credential)?, connections::row(connection)?);
        self.pool
            .write(|mut db| async move {
                let written = credentials::replace(&mut db, &self.tenant, row)
                    .await
                    .map_err(store_error)?;
                if written.is_none() {
                    return Err(StoreError::Conflict);
                }
                connections::write(&mut db, &self.tenant, standing)
                    .await
                    .map_err(store_error)?;
                let changes = [Change::Credential(
                    credential.key.clone(),
                    Some(credential.version),
                )];
                self.finish(db, &changes).await
            })
            .await
    }

    async fn rotate_credential(
        &self,
        sent: &[u8],
        credential: &Credential,
        connection: &Connection,
    ) -> Result<Guarded, StoreError> {
        self.must_own_both(&credential.key, &connection.key)?;
        let (row, standing) = (credentials::row(credential)?, connections::row(connection)?);
        self.pool
            .write(|mut db| async move {
                let version = credentials::rotate(&mut db, &self.tenant, sent, row)
                    .await
                    .map_err(store_error)?;
                let Some(version) = version else {
                    return Ok(Guarded::Superseded);
                };
                connections::write(&mut db, &self.tenant, standing)
                    .await
                    .map_err(store_error)?;
                let changes = [Change::Credential(
                    credential.key.clone(),
                    Some(credential.version),
                )];
                self.finish(db, &changes).await?;
                number(version, "credentials.version").map(Guarded::Written)
            })
            .await
    }

    async fn end_credential(
        &self,
        key: &CredentialKey,
        seen: &[u8],
        connection: &Connection,
    ) -> Result<Guarded, StoreError> {
        self.must_own_both(key, &connection.key)?;
        let connection = connections::row(connection)?;
        self.pool
            .write(|mut db| async move {
                let version = credentials::delete(&mut db, key.into(), seen)
                    .await
                    .map_err(store_error)?;
                let Some(version) = version else {
                    return Ok(Guarded::Superseded);
                };
                connections::write(&mut db, &self.tenant, connection)
                    .await
                    .map_err(store_error)?;
                let changes = [Change::Credential(key.clone(), None)];
                self.finish(db, &changes).await?;
                number(version, "credentials.version").map(Guarded::Written)
            })
            .await
    }

    async fn list_user_credentials(&self, user: &UserId) -> Result<Vec<Credential>, StoreError> {
        let mut db = self.pool.read().await?;
        let rows = credentials::list_of_user(&mut db, &self.tenant, user.as_str())
            .await
            .map_err(store_error)?;
        rows.into_iter()
            .map(|row| credentials::read(&self.tenant, row))
            .collect()
    }
}
