//! The end of a tenant.

use async_trait::async_trait;
use claviger_model::TenantId;
use claviger_store::{Change, Estate, Estates, StoreError};

use super::SqliteTenant;
use crate::error::{is_in_use, store_error};
use crate::queries::columns::text;
use crate::queries::{estates, revocations};

#[async_trait]
impl Estates for SqliteTenant {
    async fn surrender_tenant(&self, heir: &TenantId, estate: &Estate) -> Result<bool, StoreError> {
        let inherited = estates::inherited(&self.tenant, heir, estate)?;
        self.pool
            .write(|mut db| async move {
                let cleared = estates::clear(&mut db, &self.tenant, estate)
                    .await
                    .map_err(store_error)?;
                if !cleared.is_whole {
                    return Err(StoreError::Conflict);
                }
                let keys = match estates::delete_keys(&mut db, &self.tenant).await {
                    Err(error) if is_in_use(&error) => return Err(StoreError::Conflict),
                    done => done.map_err(store_error)?,
                };
                if keys == 0 && !cleared.had_rows {
                    return Ok(false);
                }
                for row in inherited {
                    revocations::insert(&mut db, heir, row)
                        .await
                        .map_err(store_error)?;
                }
                let mut changes = vec![Change::Keys, Change::ApiTokens(self.tenant.clone())];
                for server in cleared.servers {
                    let server = text(server, "servers.id")?;
                    changes.push(Change::Server(self.tenant.clone(), server));
                }
                self.finish(db, &changes).await?;
                Ok(true)
            })
            .await
    }
}
