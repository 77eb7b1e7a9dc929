//! Rows sealed with an old key.

use async_trait::async_trait;
use claviger_model::Server;
use claviger_store::{Change, Reseals, SealedRow, StoreError};

use super::PostgresTenant;
use crate::db::Db;
use crate::error::Failure;
use crate::queries::columns::{number, to_json};
use crate::queries::reseals::{self, is_same_row, with_sealed_of};
use crate::queries::sealed::{self, Begins};
use crate::queries::{credentials, registrations, revocations, servers, sign_ins};
use crate::retry::retry;

#[async_trait]
impl Reseals for PostgresTenant {
    async fn count_sealed_before(&self, generation: u32) -> Result<u64, StoreError> {
        let counted = retry(|| async {
            let mut db = self.read().await?;
            Ok(reseals::count(&mut db, &self.tenant, generation.into()).await?)
        });
        number(counted.await?, "key_generation")
    }

    async fn list_sealed_before(
        &self,
        generation: u32,
        limit: u32,
    ) -> Result<Vec<SealedRow>, StoreError> {
        retry(|| self.sealed_before(generation.into(), limit.into())).await
    }

    async fn list_sealed(
        &self,
        after: Option<&SealedRow>,
        limit: u32,
    ) -> Result<Vec<SealedRow>, StoreError> {
        retry(|| self.sealed_after(after.into(), limit)).await
    }

    async fn reseal(&self, seen: &SealedRow, fresh: &SealedRow) -> Result<bool, StoreError> {
        if !is_same_row(seen, fresh) {
            return Ok(false);
        }
        retry(|| async {
            let mut db = self.write().await?;
            let mut changes = Vec::new();
            let written = self
                .write_sealed(&mut db, seen, fresh, &mut changes)
                .await?;
            self.finish_if(written > 0, db, &changes).await
        })
        .await
    }
}

impl PostgresTenant {
    async fn sealed_after(
        &self,
        begins: Begins<'_>,
        limit: u32,
    ) -> Result<Vec<SealedRow>, Failure> {
        let tenant = &self.tenant;
        let left = |found: &[SealedRow]| {
            let found = u32::try_from(found.len()).unwrap_or(u32::MAX);
            i64::from(limit.saturating_sub(found))
        };
        let mut db = self.read().await?;
        let mut found = Vec::new();
        if let Some(after) = begins.credentials {
            for row in sealed::credentials_after(&mut db, tenant, after, left(&found)).await? {
                let row = credentials::read(tenant, row)?;
                found.push(SealedRow::Credential(Box::new(row)));
            }
        }
        if let Some(after) = begins.registrations {
            for row in sealed::registrations_after(&mut db, tenant, after, left(&found)).await? {
                let row = registrations::read(tenant, row)?;
                found.push(SealedRow::Registration(Box::new(row)));
            }
        }
        if let Some(after) = begins.revocations {
            for row in sealed::revocations_after(&mut db, tenant, after, left(&found)).await? {
                let row = revocations::read(tenant, row)?;
                found.push(SealedRow::Revocation(Box::new(row)));
            }
        }
        if let Some(after) = begins.servers {
            for row in sealed::servers_after(&mut db, tenant, after, left(&found)).await? {
                found.push(SealedRow::Server(Box::new(servers::read(tenant, row)?)));
            }
        }
        if let Some(after) = begins.sign_ins {
            for row in sealed::sign_ins_after(&mut db, tenant, after, left(&found)).await? {
                found.push(SealedRow::SignIn(Box::new(sign_ins::read(tenant, row)?)));
            }
        }
        Ok(found)
    }

    async fn sealed_before(&self, before: i64, limit: i64) -> Result<Vec<SealedRow>, Failure> {
        let tenant = &self.tenant;
        let mut db = self.read().await?;
        let mut found = Vec::new();
        for row in reseals::credentials(&mut db, tenant, before, limit).await? {
            let row = credentials::read(tenant, row)?;
            found.push(SealedRow::Credential(Box::new(row)));
        }
        for row in reseals::registrations(&mut db, tenant, before, limit).await? {
            let row = registrations::read(tenant, row)?;
            found.push(SealedRow::Registration(Box::new(row)));
        }
        for row in reseals::revocations(&mut db, tenant, before, limit).await? {
            let row = revocations::read(tenant, row)?;
            found.push(SealedRow::Revocation(Box::new(row)));
        }
        for row in reseals::servers(&mut db, tenant, before, limit).await? {
            found.push(SealedRow::Server(Box::new(servers::read(tenant, row)?)));
        }
        for row in reseals::sign_ins(&mut db, tenant, before, limit).await? {
            found.push(SealedRow::SignIn(Box::new(sign_ins::read(tenant, row)?)));
        }
        Ok(found)
    }

    async fn write_sealed(
        &self,
        db: &mut Db,
        seen: &SealedRow,
        fresh: &SealedRow,
        changes: &mut Vec<Change>,
    ) -> Result<u64, Failure> {
        let tenant = &self.tenant;
        Ok(match (seen, fresh) {
            (SealedRow::Credential(seen), SealedRow::Credential(fresh)) => {
                self.must_own(&seen.key.tenant)?;
                changes.push(Change::Credential(seen.key.clone(), Some(seen.version)));
                reseals::write_credential(db, seen, &fresh.sealed).await?
            }
            (SealedRow::Registration(seen), SealedRow::Registration(fresh)) => {
                self.must_own(&seen.tenant)?;
                let id = seen.id.as_str();
                reseals::write_registration(db, tenant, id, &seen.sealed, &fresh.sealed).await?
            }
            (SealedRow::Revocation(seen), SealedRow::Revocation(fresh)) => {
                self.must_own(&seen.key.tenant)?;
                let id = seen.id.as_str();
                reseals::write_revocation(db, tenant, id, &seen.sealed, &fresh.sealed).await?
            }
            (SealedRow::SignIn(seen), SealedRow::SignIn(fresh)) => {
                self.must_own(&seen.key.tenant)?;
                let id = seen.id.as_str();
                reseals::write_sign_in(db, tenant, id, &seen.sealed, &fresh.sealed).await?
            }
            (SealedRow::Server(seen), SealedRow::Server(fresh)) => {
                self.must_own(&seen.tenant)?;
                changes.push(Change::Server(tenant.clone(), seen.id.clone()));
                self.reseal_server(db, seen, fresh).await?
            }
            _ => 0,
        })
    }

    async fn reseal_server(
        &self,
        db: &mut Db,
        seen: &Server,
        fresh: &Server,
    ) -> Result<u64, Failure> {
        let id = seen.id.as_str();
        let Some(row) = servers::find_by_id(db, &self.tenant, id).await? else {
            return Ok(0);
        };
        let text = row.auth.clone();
        let stored = servers::read(&self.tenant, row)?;
        let Some(auth) = with_sealed_of(&stored.auth, &fresh.auth) else {
            return Ok(0);
        };
        if stored.auth != seen.auth {
            return Ok(0);
        }
        let resealed = to_json(&auth)?;
        let written = reseals::write_server(db, &self.tenant, id, &text, (&auth, &resealed));
        Ok(written.await?)
    }
}
