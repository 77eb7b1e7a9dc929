//! API tokens of our own.

use async_trait::async_trait;
use claviger_model::{ApiToken, ApiTokenId, TenantId, Timestamp};
use claviger_store::{ApiTokens, StoreError};

use super::SqliteTenant;
use crate::columns::{instant, json, text, to_json};
use crate::error::store_error;
use crate::queries::api_tokens::{self, ApiTokenRow};

#[async_trait]
impl ApiTokens for SqliteTenant {
    async fn insert_api_token(&self, token: &ApiToken) -> Result<(), StoreError> {
        self.must_own(&token.tenant)?;
        let row = row(token)?;
        let mut db = self.pool.write().await?;
        api_tokens::insert(&mut db, &self.tenant, row)
            .await
            .map_err(store_error)?;
        db.commit().await.map_err(store_error)
    }

    async fn find_api_token(&self, mac: &[u8]) -> Result<Option<ApiToken>, StoreError> {
        let mut db = self.pool.read().await?;
        api_tokens::find(&mut db, &self.tenant, mac)
            .await
            .map_err(store_error)?
            .map(|row| read(&self.tenant, row))
            .transpose()
    }

    async fn list_api_tokens(&self) -> Result<Vec<ApiToken>, StoreError> {
        let mut db = self.pool.read().await?;
        let rows = api_tokens::list(&mut db, &self.tenant)
            .await
            .map_err(store_error)?;
        rows.into_iter()
            .map(|row| read(&self.tenant, row))
            .collect()
    }

    async fn delete_api_token(&self, id: &ApiTokenId) -> Result<bool, StoreError> {
        let mut db = self.pool.write().await?;
        let deleted = api_tokens::delete(&mut db, &self.tenant, id.as_str())
            .await
            .map_err(store_error)?;
        db.commit().await.map_err(store_error)?;
        Ok(deleted > 0)
    }
}

fn row(token: &ApiToken) -> Result<ApiTokenRow, StoreError> {
    Ok(ApiTokenRow {
        id: token.id.as_str().to_owned(),
        user_id: token.user.as_str().to_owned(),
        name: token.name.clone(),
        mac: token.mac.clone(),
        servers: token.servers.as_ref().map(to_json).transpose()?,
        created_at: token.created_at.as_secs(),
        expires_at: token.expires_at.map(Timestamp::as_secs),
    })
}

fn read(tenant: &TenantId, row: ApiTokenRow) -> Result<ApiToken, StoreError> {
    let servers = row.servers.as_deref();
    Ok(ApiToken {
        id: text(row.id, "api_tokens.id")?,
        tenant: tenant.clone(),
        user: text(row.user_id, "api_tokens.user_id")?,
        name: row.name,
        mac: row.mac,
        servers: servers
            .map(|servers| json(servers, "api_tokens.servers"))
            .transpose()?,
        created_at: instant(row.created_at),
        expires_at: row.expires_at.map(instant),
    })
}
