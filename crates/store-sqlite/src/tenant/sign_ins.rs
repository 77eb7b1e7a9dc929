//! Sign-ins in flight.

use async_trait::async_trait;
use claviger_model::{CredentialKey, Outcome, SignIn, SignInId, TenantId, Timestamp};
use claviger_store::{SignIns, StoreError};

use super::SqliteTenant;
use crate::columns::{credential_key, instant, text, to_text};
use crate::error::store_error;
use crate::queries::sign_ins::{self, SignInRow};

#[async_trait]
impl SignIns for SqliteTenant {
    async fn insert_sign_in(&self, sign_in: &SignIn) -> Result<(), StoreError> {
        self.must_own(&sign_in.key.tenant)?;
        let row = row(sign_in)?;
        let timed_out = word(Outcome::TimedOut)?;
        let mut db = self.pool.write().await?;
        let key = (&sign_in.key).into();
        sign_ins::end_expired(&mut db, key, row.created_at, &timed_out, ERASED)
            .await
            .map_err(store_error)?;
        sign_ins::insert(&mut db, &self.tenant, row)
            .await
            .map_err(store_error)?;
        db.commit().await.map_err(store_error)
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
            .map(|row| read(&self.tenant, row))
            .transpose()
    }

    async fn find_sign_in(&self, id: &SignInId) -> Result<Option<SignIn>, StoreError> {
        let mut db = self.pool.read().await?;
        sign_ins::find(&mut db, &self.tenant, id.as_str())
            .await
            .map_err(store_error)?
            .map(|row| read(&self.tenant, row))
            .transpose()
    }

    async fn take_sign_in(
        &self,
        state_mac: &[u8],
        now: Timestamp,
    ) -> Result<Option<SignIn>, StoreError> {
        let mut db = self.pool.write().await?;
        let taken = sign_ins::take(&mut db, &self.tenant, state_mac, now.as_secs())
            .await
            .map_err(store_error)?;
        db.commit().await.map_err(store_error)?;
        taken.map(|row| read(&self.tenant, row)).transpose()
    }

    async fn end_sign_in(&self, id: &SignInId, outcome: Outcome) -> Result<bool, StoreError> {
        let outcome = word(outcome)?;
        let mut db = self.pool.write().await?;
        let ended = sign_ins::end(&mut db, &self.tenant, id.as_str(), &outcome, ERASED)
            .await
            .map_err(store_error)?;
        db.commit().await.map_err(store_error)?;
        Ok(ended > 0)
    }
}

fn word(outcome: Outcome) -> Result<String, StoreError> {
    to_text(&outcome, "sign_ins.outcome")
}

fn row(sign_in: &SignIn) -> Result<SignInRow, StoreError> {
    Ok(SignInRow {
        id: sign_in.id.as_str().to_owned(),
        server_id: sign_in.key.server.as_str().to_owned(),
        user_id: sign_in.key.user.as_str().to_owned(),
        account: sign_in.key.account.as_str().to_owned(),
        state_mac: sign_in.state_mac.clone(),
        sealed: sign_in.sealed.clone(),
        created_at: sign_in.created_at.as_secs(),
        expires_at: sign_in.expires_at.as_secs(),
        outcome: sign_in.outcome.map(word).transpose()?,
    })
}

fn read(tenant: &TenantId, row: SignInRow) -> Result<SignIn, StoreError> {
    Ok(SignIn {
        id: text(row.id, "sign_ins.id")?,
        key: credential_key(tenant, row.server_id, row.user_id, row.account)?,
        state_mac: row.state_mac,
        sealed: row.sealed,
        created_at: instant(row.created_at),
        expires_at: instant(row.expires_at),
        outcome: row
            .outcome
            .map(|outcome| text(outcome, "sign_ins.outcome"))
            .transpose()?,
    })
}

/// What is left of the sealed part after the end.
const ERASED: &[u8] = &[];
