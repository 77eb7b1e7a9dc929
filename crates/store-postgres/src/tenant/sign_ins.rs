//! Sign-ins in flight.

use async_trait::async_trait;
use claviger_model::{
    Connection, Credential, CredentialKey, Outcome, Revocation, SignIn, SignInId, Timestamp,
};
use claviger_store::{Change, SignIns, StoreError};

use super::PostgresTenant;
use crate::queries::sign_ins::{self, ERASED, word};
use crate::queries::{connections, credentials, revocations};
use crate::retry::retry;

#[async_trait]
impl SignIns for PostgresTenant {
    async fn insert_sign_in(&self, sign_in: &SignIn) -> Result<(), StoreError> {
        self.must_own(&sign_in.key.tenant)?;
        let timed_out = word(Outcome::TimedOut)?;
        retry(|| async {
            let row = sign_ins::row(sign_in)?;
            let key = (&sign_in.key).into();
            let mut db = self.write().await?;
            sign_ins::end_expired(&mut db, key, row.created_at, &timed_out, ERASED).await?;
            sign_ins::insert(&mut db, &self.tenant, row).await?;
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
        let row = retry(|| async {
            let mut db = self.read().await?;
            Ok(sign_ins::find_open(&mut db, key.into(), now.as_secs()).await?)
        });
        let row = row.await?;
        row.map(|row| sign_ins::read(&self.tenant, row)).transpose()
    }

    async fn find_sign_in(&self, id: &SignInId) -> Result<Option<SignIn>, StoreError> {
        let row = retry(|| async {
            let mut db = self.read().await?;
            Ok(sign_ins::find(&mut db, &self.tenant, id.as_str()).await?)
        });
        let row = row.await?;
        row.map(|row| sign_ins::read(&self.tenant, row)).transpose()
    }

    async fn take_sign_in(
        &self,
        state_mac: &[u8],
        now: Timestamp,
    ) -> Result<Option<SignIn>, StoreError> {
        let taken = retry(|| async {
            let mut db = self.write().await?;
            let taken = sign_ins::take(&mut db, &self.tenant, state_mac, now.as_secs()).await?;
            if taken.is_some() {
                self.finish(db, &[]).await?;
            }
            Ok(taken)
        });
        let taken = taken.await?;
        taken
            .map(|row| sign_ins::read(&self.tenant, row))
            .transpose()
    }

    async fn end_sign_in(&self, id: &SignInId, outcome: Outcome) -> Result<bool, StoreError> {
        let outcome = word(outcome)?;
        retry(|| async {
            let mut db = self.write().await?;
            let id = id.as_str();
            let ended = sign_ins::end(&mut db, &self.tenant, id, &outcome, ERASED).await?;
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
        let success = word(Outcome::Success)?;
        retry(|| async {
            let (row, standing) = (credentials::row(credential)?, connections::row(connection)?);
            let (key, id) = (&credential.key, id.as_str());
            let mut db = self.write().await?;
            let ended = sign_ins::end_of_key(&mut db, key.into(), id, &success, ERASED).await?;
            if ended == 0 {
                return Ok(false);
            }
            let written = credentials::replace(&mut db, &self.tenant, row).await?;
            if written.is_none() {
                return Err(StoreError::Conflict.into());
            }
            connections::write(&mut db, &self.tenant, standing).await?;
            if let Some(owed) = owed {
                revocations::insert(&mut db, &self.tenant, revocations::row(owed)).await?;
            }
            let changes = [Change::Credential(key.clone(), Some(credential.version))];
            self.finish_if(true, db, &changes).await
        })
        .await
    }
}
