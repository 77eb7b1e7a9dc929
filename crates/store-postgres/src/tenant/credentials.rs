//! The credentials we hold.

use async_trait::async_trait;
use claviger_model::{Connection, Credential, CredentialKey, ServerId, UserId};
use claviger_store::{Change, Credentials, Guarded, StoreError};

use super::PostgresTenant;
use crate::queries::columns::number;
use crate::queries::{connections, credentials};
use crate::retry::retry;

#[async_trait]
impl Credentials for PostgresTenant {
    async fn find_credential(&self, key: &CredentialKey) -> Result<Option<Credential>, StoreError> {
        if !self.owns(&key.tenant) {
            return Ok(None);
        }
        let row = retry(|| async {
            let mut db = self.read().await?;
            Ok(credentials::find(&mut db, key.into()).await?)
        });
        let row = row.await?;
        row.map(|row| credentials::read(&self.tenant, row))
            .transpose()
    }

    async fn list_credentials(&self, server: &ServerId) -> Result<Vec<Credential>, StoreError> {
        let rows = retry(|| async {
            let mut db = self.read().await?;
            Ok(credentials::list(&mut db, &self.tenant, server.as_str()).await?)
        });
        let rows = rows.await?.into_iter();
        rows.map(|row| credentials::read(&self.tenant, row))
            .collect()
    }

    async fn replace_credential(
        &self,
        credential: &Credential,
        connection: &Connection,
    ) -> Result<(), StoreError> {
        self.must_own_both(&credential.key, &connection.key)?;
        retry(|| async {
            let (row, standing) = (credentials::row(credential)?, connections::row(connection)?);
            let mut db = self.write().await?;
            let written = credentials::replace(&mut db, &self.tenant, row).await?;
            if written.is_none() {
                return Err(StoreError::Conflict.into());
            }
            connections::write(&mut db, &self.tenant, standing).await?;
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
        let version = retry(|| async {
            let (row, standing) = (credentials::row(credential)?, connections::row(connection)?);
            let mut db = self.write().await?;
            let version = credentials::rotate(&mut db, &self.tenant, sent, row).await?;
            if version.is_some() {
                connections::write(&mut db, &self.tenant, standing).await?;
                let changes = [Change::Credential(
                    credential.key.clone(),
                    Some(credential.version),
                )];
                self.finish(db, &changes).await?;
            }
            Ok(version)
        });
        guarded(version.await?)
    }

    async fn end_credential(
        &self,
        key: &CredentialKey,
        seen: &[u8],
        connection: &Connection,
    ) -> Result<Guarded, StoreError> {
        self.must_own_both(key, &connection.key)?;
        let version = retry(|| async {
            let connection = connections::row(connection)?;
            let mut db = self.write().await?;
            let version = credentials::delete(&mut db, key.into(), seen).await?;
            if version.is_some() {
                connections::write(&mut db, &self.tenant, connection).await?;
                let changes = [Change::Credential(key.clone(), None)];
                self.finish(db, &changes).await?;
            }
            Ok(version)
        });
        guarded(version.await?)
    }

    async fn list_user_credentials(&self, user: &UserId) -> Result<Vec<Credential>, StoreError> {
        let rows = retry(|| async {
            let mut db = self.read().await?;
            Ok(credentials::list_of_user(&mut db, &self.tenant, user.as_str()).await?)
        });
        let rows = rows.await?.into_iter();
        rows.map(|row| credentials::read(&self.tenant, row))
            .collect()
    }
}

pub(super) fn guarded(version: Option<i64>) -> Result<Guarded, StoreError> {
    match version {
        Some(version) => number(version, "credentials.version").map(Guarded::Written),
        None => Ok(Guarded::Superseded),
    }
}
