//! Rows sealed with an old key.

use async_trait::async_trait;
use claviger_model::Server;
use claviger_store::{Change, Reseals, SealedRow, StoreError};

use super::SqliteTenant;
use crate::error::store_error;
use crate::pool::Unit;
use crate::queries::columns::{number, to_json};
use crate::queries::reseals::{self, is_same_row, with_sealed_of};
use crate::queries::sealed::{self, Begins};
use crate::queries::{credentials, registrations, revocations, servers, sign_ins};

#[async_trait]
impl Reseals for SqliteTenant {
    async fn count_sealed_before(&self, generation: u32) -> Result<u64, StoreError> {
        let mut db = self.pool.read().await?;
        let counted = reseals::count(&mut db, &self.tenant, generation.into())
            .await
            .map_err(store_error)?;
        number(counted, "key_generation")
    }

    async fn list_sealed_before(
        &self,
        generation: u32,
        limit: u32,
    ) -> Result<Vec<SealedRow>, StoreError> {
        let (tenant, before, limit) = (&self.tenant, generation.into(), limit.into());
        let mut db = self.pool.read().await?;
        let mut found = Vec::new();
        let rows = reseals::credentials(&mut db, tenant, before, limit).await;
        for row in rows.map_err(store_error)? {
            let row = credentials::read(tenant, row)?;
            found.push(SealedRow::Credential(Box::new(row)));
        }
        let rows = reseals::registrations(&mut db, tenant, before, limit).await;
        for row in rows.map_err(store_error)? {
            let row = registrations::read(tenant, row)?;
            found.push(SealedRow::Registration(Box::new(row)));
        }
        let rows = reseals::revocations(&mut db, tenant, before, limit).await;
        for row in rows.map_err(store_error)? {
            let row = revocations::read(tenant, row)?;
            found.push(SealedRow::Revocation(Box::new(row)));
        }
        let rows = reseals::servers(&mut db, tenant, before, limit).await;
        for row in rows.map_err(store_error)? {
            found.push(SealedRow::Server(Box::new(servers::read(tenant, row)?)));
        }
        let rows = reseals::sign_ins(&mut db, tenant, before, limit).await;
        for row in rows.map_err(store_error)? {
            found.push(SealedRow::SignIn(Box::new(sign_ins::read(tenant, row)?)));
        }
        Ok(found)
    }

    async fn list_sealed(
        &self,
        after: Option<&SealedRow>,
        limit: u32,
    ) -> Result<Vec<SealedRow>, StoreError> {
        let (tenant, begins) = (&self.tenant, Begins::from(after));
        let left = |found: &[SealedRow]| {
            let found = u32::try_from(found.len()).unwrap_or(u32::MAX);
            i64::from(limit.saturating_sub(found))
        };
        let mut db = self.pool.read().await?;
        let mut found = Vec::new();
        if let Some(after) = begins.credentials {
            let rows = sealed::credentials_after(&mut db, tenant, after, left(&found)).await;
            for row in rows.map_err(store_error)? {
                let row = credentials::read(tenant, row)?;
                found.push(SealedRow::Credential(Box::new(row)));
            }
        }
        if let Some(after) = begins.registrations {
            let rows = sealed::registrations_after(&mut db, tenant, after, left(&found)).await;
            for row in rows.map_err(store_error)? {
                let row = registrations::read(tenant, row)?;
                found.push(SealedRow::Registration(Box::new(row)));
            }
        }
        if let Some(after) = begins.revocations {
            let rows = sealed::revocations_after(&mut db, tenant, after, left(&found)).await;
            for row in rows.map_err(store_error)? {
                let row = revocations::read(tenant, row)?;
                found.push(SealedRow::Revocation(Box::new(row)));
            }
        }
        if let Some(after) = begins.servers {
            let rows = sealed::servers_after(&mut db, tenant, after, left(&found)).await;
            for row in rows.map_err(store_error)? {
                found.push(SealedRow::Server(Box::new(servers::read(tenant, row)?)));
            }
        }
        if let Some(after) = begins.sign_ins {
            let rows = sealed::sign_ins_after(&mut db, tenant, after, left(&found)).await;
            for row in rows.map_err(store_error)? {
                found.push(SealedRow::SignIn(Box::new(sign_ins::read(tenant, row)?)));
            }
        }
        Ok(found)
    }

    async fn reseal(&self, seen: &SealedRow, fresh: &SealedRow) -> Result<bool, StoreError> {
        if !is_same_row(seen, fresh) {
            return Ok(false);
        }
        let tenant = &self.tenant;
        self.pool
            .write(|mut db| async move {
                let mut changes = Vec::new();
                let written = match (seen, fresh) {
                    (SealedRow::Credential(seen), SealedRow::Credential(fresh)) => {
                        self.must_own(&seen.key.tenant)?;
                        changes.push(Change::Credential(seen.key.clone(), Some(seen.version)));
                        reseals::write_credential(&mut db, seen, &fresh.sealed).await
                    }
                    (SealedRow::Registration(seen), SealedRow::Registration(fresh)) => {
                        self.must_own(&seen.tenant)?;
                        let id = seen.id.as_str();
                        reseals::write_registration(
                            &mut db,
                            tenant,
                            id,
                            &seen.sealed,
                            &fresh.sealed,
                        )
                        .await
                    }
                    (SealedRow::Revocation(seen), SealedRow::Revocation(fresh)) => {
                        self.must_own(&seen.key.tenant)?;
                        let id = seen.id.as_str();
                        reseals::write_revocation(&mut db, tenant, id, &seen.sealed, &fresh.sealed)
                            .await
                    }
                    (SealedRow::SignIn(seen), SealedRow::SignIn(fresh)) => {
                        self.must_own(&seen.key.tenant)?;
                        let id = seen.id.as_str();
                        reseals::write_sign_in(&mut db, tenant, id, &seen.sealed, &fresh.sealed)
                            .await
                    }
                    (SealedRow::Server(seen), SealedRow::Server(fresh)) => {
                        self.must_own(&seen.tenant)?;
                        changes.push(Change::Server(tenant.clone(), seen.id.clone()));
                        Ok(self.reseal_server(&mut db, seen, fresh).await?)
                    }
                    _ => Ok(0),
                };
                let written = written.map_err(store_error)?;
                self.finish_if(written > 0, db, &changes).await
            })
            .await
    }
}

impl SqliteTenant {
    async fn reseal_server(
        &self,
        db: &mut Unit,
        seen: &Server,
        fresh: &Server,
    ) -> Result<u64, StoreError> {
        let id = seen.id.as_str();
        let found = servers::find_by_id(db, &self.tenant, id)
            .await
            .map_err(store_error)?;
        let Some(row) = found else { return Ok(0) };
        let text = row.auth.clone();
        let stored = servers::read(&self.tenant, row)?;
        let Some(auth) = with_sealed_of(&stored.auth, &fresh.auth) else {
            return Ok(0);
        };
        if stored.auth != seen.auth {
            return Ok(0);
        }
        let resealed = to_json(&auth)?;
        reseals::write_server(db, &self.tenant, id, &text, (&auth, &resealed))
            .await
            .map_err(store_error)
    }
}
