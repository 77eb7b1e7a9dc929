//! The catalogue.

use async_trait::async_trait;
use claviger_model::{Outcome, Server, ServerId, Slug};
use claviger_store::{Change, Purged, Servers, StoreError};

use super::SqliteTenant;
use crate::db::Db;
use crate::error::store_error;
use crate::queries::purges::{self, end_sign_ins, retire_registrations};
use crate::queries::servers::{self, Written};
use crate::queries::sign_ins::{ERASED, word};

#[async_trait]
impl Servers for SqliteTenant {
    async fn insert_server(&self, server: &Server) -> Result<(), StoreError> {
        self.must_own(&server.tenant)?;
        let row = servers::row(server)?;
        self.pool
            .write(|mut db| async move {
                servers::insert(&mut db, &self.tenant, row)
                    .await
                    .map_err(store_error)?;
                self.finish(db, &self.changed(&server.id)).await
            })
            .await
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

    async fn update_server(&self, seen: &Server, server: &Server) -> Result<bool, StoreError> {
        let row = self.row_in_place_of(seen, server)?;
        self.pool
            .write(|mut db| async move {
                if !self.is_still(&mut db, seen).await? {
                    return Ok(false);
                }
                let written = servers::update(&mut db, &self.tenant, row)
                    .await
                    .map_err(store_error)?;
                self.finish_if(written > 0, db, &self.changed(&server.id))
                    .await
            })
            .await
    }

    async fn delete_server(&self, id: &ServerId) -> Result<bool, StoreError> {
        self.pool
            .write(|mut db| async move {
                let deleted = servers::delete(&mut db, &self.tenant, id.as_str())
                    .await
                    .map_err(store_error)?;
                self.finish_if(deleted > 0, db, &self.changed(id)).await
            })
            .await
    }

    async fn purge_server(
        &self,
        seen: &Server,
        server: &Server,
        purged: &[Purged],
    ) -> Result<bool, StoreError> {
        let row = self.row_in_place_of(seen, server)?;
        let purged = purges::rows(&self.tenant, &server.id, purged)?;
        let cancelled = word(Outcome::Cancelled)?;
        self.pool
            .write(|mut db| async move {
                if !self.is_still(&mut db, seen).await? {
                    return Ok(false);
                }
                servers::update(&mut db, &self.tenant, row)
                    .await
                    .map_err(store_error)?;
                let is_whole = purges::end(&mut db, &self.tenant, &server.id, purged, true)
                    .await
                    .map_err(store_error)?;
                if !is_whole {
                    return Err(StoreError::Conflict);
                }
                end_sign_ins(&mut db, &self.tenant, &server.id, &cancelled, ERASED)
                    .await
                    .map_err(store_error)?;
                retire_registrations(&mut db, &self.tenant, &server.id)
                    .await
                    .map_err(store_error)?;
                self.finish(db, &self.changed(&server.id)).await?;
                Ok(true)
            })
            .await
    }

    async fn surrender_server(&self, id: &ServerId, purged: &[Purged]) -> Result<bool, StoreError> {
        let purged = purges::rows(&self.tenant, id, purged)?;
        self.pool
            .write(|mut db| async move {
                let found = servers::find_by_id(&mut db, &self.tenant, id.as_str())
                    .await
                    .map_err(store_error)?;
                if found.is_none() {
                    return Ok(false);
                }
                let is_whole = purges::end(&mut db, &self.tenant, id, purged, false)
                    .await
                    .map_err(store_error)?;
                if !is_whole {
                    return Err(StoreError::Conflict);
                }
                servers::delete(&mut db, &self.tenant, id.as_str())
                    .await
                    .map_err(store_error)?;
                self.finish(db, &self.changed(id)).await?;
                Ok(true)
            })
            .await
    }
}

impl SqliteTenant {
    fn changed(&self, server: &ServerId) -> [Change; 1] {
        [Change::Server(self.tenant.clone(), server.clone())]
    }

    /// What is written of a server that takes the place of `seen`.
    fn row_in_place_of(&self, seen: &Server, server: &Server) -> Result<Written, StoreError> {
        self.must_own(&server.tenant)?;
        servers::row_in_place_of(seen, server)
    }

    /// Whether the server is there; a conflict if it is another one than `seen` by now.
    async fn is_still(&self, db: &mut Db, seen: &Server) -> Result<bool, StoreError> {
        let found = servers::find_by_id(db, &self.tenant, seen.id.as_str())
            .await
            .map_err(store_error)?;
        servers::is_still(&self.tenant, found, seen)
    }
}
