//! Sign-ins in flight.

use async_trait::async_trait;
use claviger_model::{
    Connection, Credential, CredentialKey, Outcome, Revocation, SignIn, SignInId, Timestamp,
};
use claviger_store::{Change, SignIns, StoreError};

use super::SqliteTenant;
use crate::error::store_error;
use crate::queries::sign_ins::{self, ERASED, word};
use crate::queries::{connections, credentials, revocations};

#[async_trait]
impl SignIns for SqliteTenant {
    async fn insert_sign_in(&self, sign_in: &SignIn) -> Result<(), StoreError> {
        self.must_own(&sign_in.key.tenant)?;
        let row = sign_ins::row(sign_in)?;
        let timed_out = word(Outcome::TimedOut)?;
        self.pool
            .write(|mut db| async move {
                let key = (&sign_in.key).into();
                sign_ins::end_expired(&mut db, key, row.created_at, &timed_out, ERASED)
                    .await
                    .map_err(store_error)?;
                sign_ins::insert(&mut db, &self.tenant, row)
                    .await
                    .map_err(store_error)?;
                self.finish(db, &[]).await
            })
            .await
    }

    async fn find_open_sign_in(
        &self,
        key: &CredentialKey,
        now: Timestamp,
    ) -> Result<Option<SignIn>, StoreError> {
        if !self.owns(&key.tenant) {
            return Ok(None);
        }
        let mut db = self.pool.read().await?;
        sign_ins::find_open(&mut db, key.into(), now.as_secs())
            .await
            .map_err(store_error)?
            .map(|row| sign_ins::read(&self.tenant, row))
            .transpose()
    }

    async fn find_sign_in(&self, id: &SignInId) -> Result<Option<SignIn>, StoreError> {
        let mut db = self.pool.read().await?;
        sign_ins::find(&mut db, &self.tenant, id.as_str())
            .await
            .map_err(store_error)?
            .map(|row| sign_ins::read(&self.tenant, row))
            .transpose()
    }

    async fn take_sign_in(
        &self,
        state_mac: &[u8],
        now: Timestamp,
    ) -> Result<Option<SignIn>, StoreError> {
        self.pool
            .write(|mut db| async move {
                let taken = sign_ins::take(&mut db, &self.tenant, state_mac, now.as_secs())
                    .await
                    .map_err(store_error)?;
                if taken.is_some() {
                    self.finish(db, &[]).await?;
                }
                taken
                    .map(|row| sign_ins::read(&self.tenant, row))
                    .transpose()
            })
            .await
    }

    async fn end_sign_in(&self, id: &SignInId, outcome: Outcome) -> Result<bool, StoreError> {
        let outcome = word(outcome)?;
        self.pool
            .write(|mut db| async move {
                let ended = sign_ins::end(&mut db, &self.tenant, id.as_str(), &outcome, ERASED)
                    .await
                    .map_err(store_error)?;
                self.finish_if(ended > 0, db, &[]).await
            })
            .await
    }

    async fn complete_sign_in(
        &self,
        id: &SignInId,
        credential: &Credential,
        connection: &Connection,
        owed: Option<&Revocation>,
    ) -> Result<bool, StoreError> {
        self.must_own_both(&credential.key, &connection.key)?;
        if let Some(owed) = owed {
            self.must_own(&owed.key.tenant)?;
        }
        let (row, standing) = (credentials::row(credential)?, connections::row(connection)?);
        let (key, success) = (&credential.key, word(Outcome::Success)?);
        self.pool
            .write(|mut db| async move {
                let ended =
                    sign_ins::end_of_key(&mut db, key.into(), id.as_str(), &success, ERASED)
                        .await
                        .map_err(store_error)?;
                if ended == 0 {
                    return Ok(false);
                }
                let written = credentials::replace(&mut db, &self.tenant, row)
                    .await
                    .map_err(store_error)?;
                if written.is_none() {
                    return Err(StoreError::Conflict);
                }
                connections::write(&mut db, &self.tenant, standing)
                    .await
                    .map_err(store_error)?;
                if let Some(owed) = owed {
                    revocations::insert(&mut db, &self.tenant, revocations::row(owed))
                        .await
                        .map_err(store_error)?;
                }
                let changes = [Change::Credential(key.clone(), Some(credential.version))];
                self.finish(db, &changes).await?;
                Ok(true)
            })
            .await
    }
}
