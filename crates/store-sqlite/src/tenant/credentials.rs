//! The credentials we hold.

use async_trait::async_trait;
use claviger_model::{Connection, Credential, CredentialKey, ServerId, TenantId, Timestamp};
use claviger_store::{Credentials, Guarded, StoreError};

use super::{SqliteTenant, connections};
use crate::columns::{credential_key, flag, instant, json, number, text, to_json, to_number};
use crate::error::store_error;
use crate::queries;
use crate::queries::credentials::{self, CredentialRow};

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
            .map(|row| read(&self.tenant, row))
            .transpose()
    }

    async fn list_credentials(&self, server: &ServerId) -> Result<Vec<Credential>, StoreError> {
        let mut db = self.pool.read().await?;
        let rows = credentials::list(&mut db, &self.tenant, server.as_str())
            .await
            .map_err(store_error)?;
        rows.into_iter()
            .map(|row| read(&self.tenant, row))
            .collect()
    }

    async fn replace_credential(
        &self,
        credential: &Credential,
        connection: &Connection,
    ) -> Result<(), StoreError> {
        self.must_own_both(&credential.key, &connection.key)?;
        let (row, connection) = (row(credential)?, connections::row(connection)?);
        let mut db = self.pool.write().await?;
        let written = credentials::replace(&mut db, &self.tenant, row)
            .await
            .map_err(store_error)?;
        if written.is_none() {
            return Err(StoreError::Conflict);
        }
        queries::connections::write(&mut db, &self.tenant, connection)
            .await
            .map_err(store_error)?;
        db.commit().await.map_err(store_error)
    }

    async fn rotate_credential(
        &self,
        sent: &[u8],
        credential: &Credential,
        connection: &Connection,
    ) -> Result<Guarded, StoreError> {
        self.must_own_both(&credential.key, &connection.key)?;
        let (row, connection) = (row(credential)?, connections::row(connection)?);
        let mut db = self.pool.write().await?;
        let version = credentials::rotate(&mut db, &self.tenant, sent, row)
            .await
            .map_err(store_error)?;
        let Some(version) = version else {
            return Ok(Guarded::Superseded);
        };
        queries::connections::write(&mut db, &self.tenant, connection)
            .await
            .map_err(store_error)?;
        db.commit().await.map_err(store_error)?;
        number(version, "credentials.version").map(Guarded::Written)
    }

    async fn end_credential(
        &self,
        key: &CredentialKey,
        seen: &[u8],
        connection: &Connection,
    ) -> Result<Guarded, StoreError> {
        self.must_own_both(key, &connection.key)?;
        let connection = connections::row(connection)?;
        let mut db = self.pool.write().await?;
        let version = credentials::delete(&mut db, key.into(), seen)
            .await
            .map_err(store_error)?;
        let Some(version) = version else {
            return Ok(Guarded::Superseded);
        };
        queries::connections::write(&mut db, &self.tenant, connection)
            .await
            .map_err(store_error)?;
        db.commit().await.map_err(store_error)?;
        number(version, "credentials.version").map(Guarded::Written)
    }
}

fn row(credential: &Credential) -> Result<CredentialRow, StoreError> {
    Ok(CredentialRow {
        server_id: credential.key.server.as_str().to_owned(),
        user_id: credential.key.user.as_str().to_owned(),
        account: credential.key.account.as_str().to_owned(),
        version: to_number(credential.version, "credentials.version")?,
        fingerprint: credential.fingerprint.clone(),
        issuer: credential.issuer.clone(),
        token_endpoint: credential.token_endpoint.clone(),
        revocation_endpoint: credential.revocation_endpoint.clone(),
        resource: credential.resource.clone(),
        registration_id: credential
            .registration
            .as_ref()
            .map(|id| id.as_str().to_owned()),
        scopes_requested: to_json(&credential.scopes_requested)?,
        scopes_granted: to_json(&credential.scopes_granted)?,
        obtained_at: credential.obtained_at.as_secs(),
        expires_at: credential.expires_at.map(Timestamp::as_secs),
        is_refreshable: i64::from(credential.is_refreshable),
        sealed: credential.sealed.clone(),
    })
}

fn read(tenant: &TenantId, row: CredentialRow) -> Result<Credential, StoreError> {
    Ok(Credential {
        key: credential_key(tenant, row.server_id, row.user_id, row.account)?,
        version: number(row.version, "credentials.version")?,
        fingerprint: row.fingerprint,
        issuer: row.issuer,
        token_endpoint: row.token_endpoint,
        revocation_endpoint: row.revocation_endpoint,
        resource: row.resource,
        registration: row
            .registration_id
            .map(|id| text(id, "credentials.registration_id"))
            .transpose()?,
        scopes_requested: json(&row.scopes_requested, "credentials.scopes_requested")?,
        scopes_granted: json(&row.scopes_granted, "credentials.scopes_granted")?,
        obtained_at: instant(row.obtained_at),
        expires_at: row.expires_at.map(instant),
        is_refreshable: flag(row.is_refreshable, "credentials.is_refreshable")?,
        sealed: row.sealed,
    })
}
