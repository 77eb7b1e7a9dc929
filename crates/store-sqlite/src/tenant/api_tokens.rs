//! API tokens of our own.

use async_trait::async_trait;
use claviger_model::{ApiToken, ApiTokenId};
use claviger_store::{ApiTokens, Change, StoreError};

use super::SqliteTenant;
use crate::error::store_error;
use crate::queries::api_tokens;

#[async_trait]
impl ApiTokens for SqliteTenant {
    async fn insert_api_token(&self, token: &ApiToken) -> Result<(), StoreError> {
        self.must_own(&token.tenant)?;
        let row = api_tokens::row(token)?;
        self.pool
            .write(|mut db| async move {
                api_tokens::insert(&mut db, &self.tenant, row)
                    .await
                    .map_err(store_error)?;
                self.finish(db, &[Change::ApiTokens(self.tenant.clone())])
                    .await
            })
            .await
    }

    async fn find_api_token(&self, mac: &[u8]) -> Result<Option<ApiToken>, StoreError> {
        let mut db = self.pool.read().await?;
        api_tokens::find(&mut db, &self.tenant, mac)
            .await
            .map_err(store_error)?
            .map(|row| api_tokens::read(&self.tenant, row))
            .transpose()
    }

    async fn list_api_tokens(&self) -> Result<Vec<ApiToken>, StoreError> {
        let mut db = self.pool.read().await?;
        let rows = api_tokens::list(&mut db, &self.tenant)
            .await
            .map_err(store_error)?;
        rows.into_iter()
            .map(|row| api_tokens::read(&self.tenant, row))
            .collect()
    }

    async fn delete_api_token(&self, id: &ApiTokenId) -> Result<bool, StoreError> {
        self.pool
            .write(|mut db| async move {
                let deleted = api_tokens::delete(&mut db, &self.tenant, id.as_str())
                    .await
                    .map_err(store_error)?;
                let changes = [Change::ApiTokens(self.tenant.clone())];
                self.finish_if(deleted > 0, db, &changes).await
            })
            .await
    }
}
