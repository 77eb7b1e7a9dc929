//! What has done its duty.

use async_trait::async_trait;
use claviger_model::{Outcome, Timestamp};
use claviger_store::{Change, StoreError, Sweeps};

use super::SqliteTenant;
use crate::error::store_error;
use crate::queries::sign_ins::{ERASED, word};
use crate::queries::sweeps;

#[async_trait]
impl Sweeps for SqliteTenant {
    async fn sweep(&self, now: Timestamp, before: Timestamp) -> Result<u64, StoreError> {
        let (now, before) = (now.as_secs(), before.as_secs());
        let timed_out = word(Outcome::TimedOut)?;
        self.pool
            .write(|mut db| async move {
                let sign_ins = sweeps::delete_sign_ins(&mut db, &self.tenant, now, before)
                    .await
                    .map_err(store_error)?;
                let ended = sweeps::end_sign_ins(&mut db, &self.tenant, now, &timed_out, ERASED)
                    .await
                    .map_err(store_error)?;
                let registrations = sweeps::delete_registrations(&mut db, &self.tenant)
                    .await
                    .map_err(store_error)?;
                let api_tokens = sweeps::delete_api_tokens(&mut db, &self.tenant, before)
                    .await
                    .map_err(store_error)?;
                let swept = sign_ins + ended + registrations + api_tokens;
                let changes = [Change::ApiTokens(self.tenant.clone())];
                let told = if api_tokens > 0 { &changes[..] } else { &[] };
                self.finish_if(swept > 0, db, told).await?;
                Ok(swept)
            })
            .await
    }
}
