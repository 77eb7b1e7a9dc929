//! The catalogue.

use async_trait::async_trait;
use claviger_model::{Server, ServerId, Slug};
use claviger_store::{Servers, StoreError};

use super::PostgresTenant;
use crate::queries::servers;
use crate::retry::retry;

#[async_trait]
impl Servers for PostgresTenant {
    async fn insert_server(&self, server: &Server) -> Result<(), StoreError> {
        self.must_own(&server.tenant)?;
        retry(|| async {
            let mut db = self.write().await?;
            servers::insert(&mut db, &self.tenant, servers::row(server)?).await?;
            Ok(db.commit().await?)
        })
        .await
    }

    async fn find_server(&self, slug: &Slug) -> Result<Option<Server>, StoreError> {
        let row = retry(|| async {
            let mut db = self.read().await?;
            Ok(servers::find_by_slug(&mut db, &self.tenant, slug.as_str()).await?)
        });
        let row = row.await?;
        row.map(|row| servers::read(&self.tenant, row)).transpose()
    }

    async fn find_server_by_id(&self, id: &ServerId) -> Result<Option<Server>, StoreError> {
        let row = retry(|| async {
            let mut db = self.read().await?;
            Ok(servers::find_by_id(&mut db, &self.tenant, id.as_str()).await?)
        });
        let row = row.await?;
        row.map(|row| servers::read(&self.tenant, row)).transpose()
    }

    async fn list_servers(&self) -> Result<Vec<Server>, StoreError> {
        let rows = retry(|| async {
            let mut db = self.read().await?;
            Ok(servers::list(&mut db, &self.tenant).await?)
        });
        let rows = rows.await?.into_iter();
        rows.map(|row| servers::read(&self.tenant, row)).collect()
    }

    async fn update_server(&self, server: &Server) -> Result<bool, StoreError> {
        self.must_own(&server.tenant)?;
        retry(|| async {
            let mut db = self.write().await?;
            let written = servers::update(&mut db, &self.tenant, servers::row(server)?).await?;
            db.commit().await?;
            Ok(written > 0)
        })
        .await
    }

    async fn delete_server(&self, id: &ServerId) -> Result<bool, StoreError> {
        retry(|| async {
            let mut db = self.write().await?;
            let deleted = servers::delete(&mut db, &self.tenant, id.as_str()).await?;
            db.commit().await?;
            Ok(deleted > 0)
        })
        .await
    }
}
