//! The end of a tenant.

use async_trait::async_trait;
use claviger_model::TenantId;
use claviger_store::{Change, Estate, Estates, StoreError};

use super::PostgresTenant;
use crate::db::Db;
use crate::error::{Failure, is_in_use};
use crate::finish::finish;
use crate::pool::Scope;
use crate::queries::columns::text;
use crate::queries::{changes, estates, revocations, servers};
use crate::retry::retry;

#[async_trait]
impl Estates for PostgresTenant {
    async fn surrender_tenant(&self, heir: &TenantId, estate: &Estate) -> Result<bool, StoreError> {
        self.must_own_entries()?;
        retry(|| async {
            let inherited = estates::inherited(&self.tenant, heir, estate)?;
            let mut db = self.write().await?;
            for server in servers::list(&mut db, &self.tenant).await? {
                let id = text(server.id, "servers.id")?;
                self.lock(&mut db, &id).await?;
            }
            let cleared = estates::clear(&mut db, &self.tenant, estate).await?;
            if !cleared.is_whole {
                return Err(StoreError::Conflict.into());
            }
            for server in cleared.servers {
                let server = text(server, "servers.id")?;
                tell(&mut db, &Change::Server(self.tenant.clone(), server)).await?;
            }
            tell(&mut db, &Change::ApiTokens(self.tenant.clone())).await?;
            db.turn_to(Scope::Tenant(heir)).await?;
            for row in inherited {
                revocations::insert(&mut db, heir, row).await?;
            }
            // The keys are the installation's to destroy, and only here the newest one with them.
            db.turn_to(Scope::Installation).await?;
            let keys = match estates::delete_keys(&mut db, &self.tenant).await {
                Err(error) if is_in_use(&error) => return Err(StoreError::Conflict.into()),
                done => done?,
            };
            if keys == 0 && !cleared.had_rows {
                return Ok(false);
            }
            finish(db, &[Change::Keys], &self.entries).await?;
            Ok(true)
        })
        .await
    }
}

async fn tell(db: &mut Db, change: &Change) -> Result<(), Failure> {
    changes::insert(db, changes::row(change)).await?;
    Ok(())
}
