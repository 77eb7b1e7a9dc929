//! Sign-ins in flight.

use async_trait::async_trait;
use claviger_model::{CredentialKey, Outcome, SignIn, SignInId, Timestamp};
use claviger_store::{SignIns, StoreError};

use super::PostgresTenant;
use crate::queries::sign_ins::{self, ERASED, word};
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
            Ok(db.commit().await?)
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
                db.commit().await?;
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
            db.commit().await?;
            Ok(ended > 0)
        })
        .await
    }
}
