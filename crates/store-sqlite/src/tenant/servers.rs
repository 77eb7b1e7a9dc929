//! The catalogue.

use async_trait::async_trait;
use claviger_model::{Server, ServerId, Slug, TenantId};
use claviger_store::{Servers, StoreError};

use super::SqliteTenant;
use crate::columns::{flag, instant, json, text, to_json};
use crate::error::store_error;
use crate::queries::servers::{self, ServerRow};

#[async_trait]
impl Servers for SqliteTenant {
    async fn insert_server(&self, server: &Server) -> Result<(), StoreError> {
        self.must_own(&server.tenant)?;
        let row = row(server)?;
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
            .map(|row| read(&self.tenant, row))
            .transpose()
    }

    async fn find_server_by_id(&self, id: &ServerId) -> Result<Option<Server>, StoreError> {
        let mut db = self.pool.read().await?;
        servers::find_by_id(&mut db, &self.tenant, id.as_str())
            .await
            .map_err(store_error)?
            .map(|row| read(&self.tenant, row))
            .transpose()
    }

    async fn list_servers(&self) -> Result<Vec<Server>, StoreError> {
        let mut db = self.pool.read().await?;
        let rows = servers::list(&mut db, &self.tenant)
            .await
            .map_err(store_error)?;
        rows.into_iter()
            .map(|row| read(&self.tenant, row))
            .collect()
    }

    async fn update_server(&self, server: &Server) -> Result<bool, StoreError> {
        self.must_own(&server.tenant)?;
        let row = row(server)?;
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

fn row(server: &Server) -> Result<ServerRow, StoreError> {
    Ok(ServerRow {
        id: server.id.as_str().to_owned(),
        slug: server.slug.as_str().to_owned(),
        display_name: server.display_name.clone(),
        url: server.url.clone(),
        auth: to_json(&server.auth)?,
        allow_private: i64::from(server.allow_private),
        enabled: i64::from(server.enabled),
        created_at: server.created_at.as_secs(),
        updated_at: server.updated_at.as_secs(),
    })
}

fn read(tenant: &TenantId, row: ServerRow) -> Result<Server, StoreError> {
    Ok(Server {
        id: text(row.id, "servers.id")?,
        tenant: tenant.clone(),
        slug: text(row.slug, "servers.slug")?,
        display_name: row.display_name,
        url: row.url,
        auth: json(&row.auth, "servers.auth")?,
        allow_private: flag(row.allow_private, "servers.allow_private")?,
        enabled: flag(row.enabled, "servers.enabled")?,
        created_at: instant(row.created_at),
        updated_at: instant(row.updated_at),
    })
}
