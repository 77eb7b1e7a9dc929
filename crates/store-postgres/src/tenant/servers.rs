//! The catalogue.

use async_trait::async_trait;
use claviger_model::{Outcome, Server, ServerId, Slug};
use claviger_store::{Change, Purged, Servers, StoreError};

use super::PostgresTenant;
use crate::db::Db;
use crate::error::Failure;
use crate::queries::purges::{self, end_sign_ins, retire_registrations};
use crate::queries::servers;
use crate::queries::sign_ins::{ERASED, word};
use crate::retry::retry;

#[async_trait]
impl Servers for PostgresTenant {
    async fn insert_server(&self, server: &Server) -> Result<(), StoreError> {
        self.must_own(&server.tenant)?;
        retry(|| async {
            let mut db = self.write().await?;
            servers::insert(&mut db, &self.tenant, servers::row(server)?).await?;
            self.finish(db, &self.changed(&server.id)).await
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

    async fn update_server(&self, seen: &Server, server: &Server) -> Result<bool, StoreError> {
        self.must_own(&server.tenant)?;
        retry(|| async {
            let row = servers::row_in_place_of(seen, server)?;
            let mut db = self.write().await?;
            if !self.is_still(&mut db, seen).await? {
                return Ok(false);
            }
            let written = servers::update(&mut db, &self.tenant, row).await?;
            self.finish_if(written > 0, db, &self.changed(&server.id))
                .await
        })
        .await
    }

    async fn delete_server(&self, id: &ServerId) -> Result<bool, StoreError> {
        retry(|| async {
            let mut db = self.write().await?;
            let deleted = servers::delete(&mut db, &self.tenant, id.as_str()).await?;
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
        self.must_own(&server.tenant)?;
        let cancelled = word(Outcome::Cancelled)?;
        retry(|| async {
            let (tenant, id) = (&self.tenant, &server.id);
            let row = servers::row_in_place_of(seen, server)?;
            let purged = purges::rows(tenant, id, purged)?;
            let mut db = self.write().await?;
            if !self.is_still(&mut db, seen).await? {
                return Ok(false);
            }
            servers::update(&mut db, tenant, row).await?;
            if !purges::end(&mut db, tenant, id, purged, true).await? {
                return Err(StoreError::Conflict.into());
            }
            end_sign_ins(&mut db, tenant, id, &cancelled, ERASED).await?;
            retire_registrations(&mut db, tenant, id).await?;
            self.finish_if(true, db, &self.changed(id)).await
        })
        .await
    }

    async fn surrender_server(&self, id: &ServerId, purged: &[Purged]) -> Result<bool, StoreError> {
        retry(|| async {
            let purged = purges::rows(&self.tenant, id, purged)?;
            let mut db = self.write().await?;
            if !self.lock(&mut db, id).await? {
                return Ok(false);
            }
            if !purges::end(&mut db, &self.tenant, id, purged, false).await? {
                return Err(StoreError::Conflict.into());
            }
            servers::delete(&mut db, &self.tenant, id.as_str()).await?;
            self.finish_if(true, db, &self.changed(id)).await
        })
        .await
    }
}

impl PostgresTenant {
    fn changed(&self, server: &ServerId) -> [Change; 1] {
        [Change::Server(self.tenant.clone(), server.clone())]
    }

    /// Locks a server, and says whether it is there; a conflict if it is another one than `seen` by
    /// now.
    async fn is_still(&self, db: &mut Db, seen: &Server) -> Result<bool, Failure> {
        if !self.lock(db, &seen.id).await? {
            return Ok(false);
        }
        let found = servers::find_by_id(db, &self.tenant, seen.id.as_str()).await?;
        Ok(servers::is_still(&self.tenant, found, seen)?)
    }

    /// Lets nobody hang anything new on a server until the unit ends, and waits for whoever is about
    /// to; says whether it is there.
    pub(super) async fn lock(&self, db: &mut Db, server: &ServerId) -> sqlx::Result<bool> {
        let found = sqlx::query("SELECT FROM servers WHERE tenant_id = $1 AND id = $2 FOR UPDATE")
            .bind(self.tenant.as_str())
            .bind(server.as_str())
            .fetch_optional(db)
            .await?;
        Ok(found.is_some())
    }
}
