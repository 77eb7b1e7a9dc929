//! What has done its duty.

use async_trait::async_trait;
use claviger_model::Timestamp;

use crate::StoreError;

/// Rows of one tenant that nobody needs any more.
#[async_trait]
pub trait Sweeps: Send + Sync {
    /// Ends open sign-ins that expired before `now` as timed out, deletes sign-ins that ended and
    /// began before `before`, client information that is not current and that no credential and no
    /// open sign-in hangs on, and API tokens that expired before `before`. Says how many rows
    /// ended or went.
    async fn sweep(&self, now: Timestamp, before: Timestamp) -> Result<u64, StoreError>;
}
