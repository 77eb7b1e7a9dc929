//! The catalogue.

use async_trait::async_trait;
use claviger_model::{Server, ServerId, Slug};
use claviger_store::{Servers, StoreError};

use super::SqliteTenant;
use crate::error::store_error;
use crate::queries::servers;

#[async_trait]
impl Servers for SqliteTenant {
    async fn insert_server(&self, server: &Server) -> Result<(), StoreError> {
        self.must_own(&server.tenant)?;
        let row = servers::row(server)?;
        let mut db = self.pool.write().await?;
        servers::insert(&mut db, &self.tenant, row)
            .await
            .map_err(store_error)?;
        db.commit().await.map_err(store_error)
    }

    async fn find_server(&self, slug: &Slug) -> Result<Option<Server>, StoreError> {
        let mut db = self.pool.read().await?;
        servers::find_by_slug(&mut db, &self.tenant, slug.as_str())
            .await
            .map_err(store_error)?
            .map(|row| servers::read(&self.tenant, row))
            .transpose()
    }

    async fn find_server_by_id(&self, id: &ServerId) -> Result<Option<Server>, StoreError> {
        let mut db = self.pool.read().await?;
        servers::find_by_id(&mut db, &self.tenant, id.as_str())
            .await
            .map_err(store_error)?
            .map(|row| servers::read(&self.tenant, row))
            .transpose()
    }

    async fn list_servers(&self) -> Result<Vec<Server>, StoreError> {
        let mut db = self.pool.read().await?;
        let rows = servers::list(&mut db, &self.tenant)
            .await
            .map_err(store_error)?;
        rows.into_iter()
            .map(|row| servers::read(&self.tenant, row))
            .collect()
    }

    async fn update_server(&self, server: &Server) -> Result<bool, StoreError> {
        self.must_own(&server.tenant)?;
        let row = servers::row(server)?;
        let mut db = self.pool.write().await?;
        let written = servers::update(&mut db, &self.tenant, row)
            .await
            .map_err(store_error)?;
        db.commit().await.map_err(store_error)?;
        Ok(written > 0)
    }

    async fn delete_server(&self, id: &ServerId) -> Result<bool, StoreError> {
        let mut db = self.pool.write().await?;
        let deleted = servers::delete(&mut db, &self.tenant, id.as_str())
            .await
            .map_err(store_error)?;
        db.commit().await.map_err(store_error)?;
        Ok(deleted > 0)
    }
}
