//! What has done its duty.

use async_trait::async_trait;
use claviger_model::{Outcome, Timestamp};
use claviger_store::{Change, StoreError, Sweeps};

use super::PostgresTenant;
use crate::queries::sign_ins::{ERASED, word};
use crate::queries::sweeps;
use crate::retry::retry;

#[async_trait]
impl Sweeps for PostgresTenant {
    async fn sweep(&self, now: Timestamp, before: Timestamp) -> Result<u64, StoreError> {
        let (now, before) = (now.as_secs(), before.as_secs());
        let timed_out = word(Outcome::TimedOut)?;
        retry(|| async {
            let tenant = &self.tenant;
            let mut db = self.write().await?;
            let sign_ins = sweeps::delete_sign_ins(&mut db, tenant, now, before).await?;
            let ended = sweeps::end_sign_ins(&mut db, tenant, now, &timed_out, ERASED).await?;
            let registrations = sweeps::delete_registrations(&mut db, tenant).await?;
            let api_tokens = sweeps::delete_api_tokens(&mut db, tenant, before).await?;
            let swept = sign_ins + ended + registrations + api_tokens;
            let changes = [Change::ApiTokens(tenant.clone())];
            let told = if api_tokens > 0 { &changes[..] } else { &[] };
            self.finish_if(swept > 0, db, told).await?;
            Ok(swept)
        })
        .await
    }
}
