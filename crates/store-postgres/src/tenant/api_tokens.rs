//! API tokens of our own.

use async_trait::async_trait;
use claviger_model::{ApiToken, ApiTokenId};
use claviger_store::{ApiTokens, Change, StoreError};

use super::PostgresTenant;
use crate::queries::api_tokens;
use crate::retry::retry;

#[async_trait]
impl ApiTokens for PostgresTenant {
    async fn insert_api_token(&self, token: &ApiToken) -> Result<(), StoreError> {
        self.must_own(&token.tenant)?;
        retry(|| async {
            let row = api_tokens::row(token)?;
            let mut db = self.write().await?;
            api_tokens::insert(&mut db, &self.tenant, row).await?;
            self.finish(db, &[Change::ApiTokens(self.tenant.clone())])
                .await
        })
        .await
    }

    async fn find_api_token(&self, mac: &[u8]) -> Result<Option<ApiToken>, StoreError> {
        let row = retry(|| async {
            let mut db = self.read().await?;
            Ok(api_tokens::find(&mut db, &self.tenant, mac).await?)
        });
        let row = row.await?;
        row.map(|row| api_tokens::read(&self.tenant, row))
            .transpose()
    }

    async fn list_api_tokens(&self) -> Result<Vec<ApiToken>, StoreError> {
        let rows = retry(|| async {
            let mut db = self.read().await?;
            Ok(api_tokens::list(&mut db, &self.tenant).await?)
        });
        let rows = rows.await?.into_iter();
        rows.map(|row| api_tokens::read(&self.tenant, row))
            .collect()
    }

    async fn delete_api_token(&self, id: &ApiTokenId) -> Result<bool, StoreError> {
        retry(|| async {
            let mut db = self.write().await?;
            let deleted = api_tokens::delete(&mut db, &self.tenant, id.as_str()).await?;
            let changes = [Change::ApiTokens(self.tenant.clone())];
            self.finish_if(deleted > 0, db, &changes).await
        })
        .await
    }
}
