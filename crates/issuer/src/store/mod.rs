//! The rows of an issuer and what a backend promises about them.
//!
//! A backend passes `suite`. One store holds the rows of one tenant's issuer: the tenant is known
//! from the address before anything is looked up, every row names it, and a row of another tenant
//! is never found. Each method is one transaction, and each change that several may try at once is
//! one guarded statement, so that READ COMMITTED suffices. No method asks a clock.

use async_trait::async_trait;
use claviger_model::{Fault, Timestamp};

pub use clients::{AuthMethod, Client, ClientOrigin, ClientRows, GrantType};
pub use devices::{DeviceDecision, DeviceRow, DeviceRows, Poll, PollRefused};
pub use grants::{
    AccessRow, Family, FamilyMatch, GrantRows, RefreshGrace, Replay, ReplayClaim, Rotate,
};
pub use requests::{AnswerTo, CodeRow, MAX_CODE_FAILURES, Pending, PushedRow, RequestRows};

mod clients;
mod devices;
mod grants;
mod requests;

/// A keyed MAC: the only form in which a token is stored.
pub type TokenMac = [u8; 32];

/// The store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssuerStoreError {
    /// There is no room for another row.
    #[error("the issuer's store is full")]
    Full,
    /// The backend failed.
    #[error("the issuer's store did not answer")]
    Unavailable {
        /// The cause.
        #[source]
        source: Box<dyn core::error::Error + Send + Sync>,
    },
}

// === impl IssuerStoreError ===

impl IssuerStoreError {
    /// Who has to act.
    pub const fn fault(&self) -> Fault {
        Fault::Us
    }
}

/// What is good once: ids of proofs and assertions.
#[async_trait]
pub trait OnceRows: Send + Sync + 'static {
    /// Remembers `mac` until `expires_at`; `false` if it is remembered already. Of many callers
    /// on many nodes one hears `true`.
    async fn claim_once(
        &self,
        mac: &TokenMac,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, IssuerStoreError>;
}

/// All rows of one tenant's issuer.
#[async_trait]
pub trait IssuerStore: ClientRows + RequestRows + GrantRows + DeviceRows + OnceRows {
    /// Deletes what expired before `now`, and clients that nobody used.
    async fn sweep(&self, now: Timestamp) -> Result<(), IssuerStoreError>;
}
