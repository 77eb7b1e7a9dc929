//! The lease of one flight: for how long it is surely ours, and how to tell afterwards.

use claviger_model::{CredentialKey, Timestamp};
use claviger_store::{Lease, StoreError};

use crate::broker::Inner;
use crate::serve::Chain;

/// How long a lease lasts, in milliseconds: the longest a token request may take (`egress`, 120 s),
/// and time to read before it and to store after it.
const LEASE_MS: u32 = 150_000;

/// How long after it was taken a request may still be sent, in milliseconds.
const SEND_MS: u64 = 25_000;

/// A lease that was taken, and when, by our own clocks.
pub(super) struct Holding {
    owner: String,
    lease: Lease,
    since_ms: u64,
    since: Timestamp,
}

// === impl Holding ===

impl Holding {
    /// Takes the lease of `key` for `owner`, unless somebody holds it.
    pub(super) async fn take(
        inner: &Inner,
        key: &CredentialKey,
        owner: &str,
    ) -> Result<Option<Self>, StoreError> {
        let clock = &inner.parts.clock;
        // Before the call: the database counts from a moment after this.
        let (since_ms, since) = (clock.monotonic_ms(), clock.now());
        let lease = inner.rows(key).acquire_lease(key, owner, LEASE_MS).await?;
        Ok(lease.map(|lease| Self {
            owner: owner.to_owned(),
            lease,
            since_ms,
            since,
        }))
    }

    /// After this, by the monotonic clock, no request may begin.
    pub(super) fn send_by_ms(&self) -> u64 {
        self.since_ms.saturating_add(SEND_MS)
    }

    /// Whether it is ours, and takes it again where its time is over and nobody took it since. Who
    /// is told no must not judge what an answer of the issuer means: another flight is under way
    /// with the same token (A121).
    pub(super) async fn is_ours(
        &mut self,
        inner: &Inner,
        key: &CredentialKey,
    ) -> Result<bool, StoreError> {
        if self.is_surely_ours(inner) {
            return Ok(true);
        }
        let again = Self::take(inner, key, &self.owner).await?;
        let is_ours = again.is_some();
        if let Some(again) = again {
            *self = again;
        }
        Ok(is_ours)
    }

    /// Gives it back.
    pub(super) async fn release(self, inner: &Inner, key: &CredentialKey) {
        if let Err(error) = inner.rows(key).release_lease(key, &self.lease).await {
            // It runs out by itself.
            tracing::debug!(error = %Chain(&error), "could not give a lease back");
        }
    }

    /// Both clocks: one stands still while the machine sleeps, the other may be set back.
    fn is_surely_ours(&self, inner: &Inner) -> bool {
        let clock = &inner.parts.clock;
        let by_monotonic = clock.monotonic_ms().saturating_sub(self.since_ms);
        let by_wall = clock.now().since(self.since).max(0);
        by_monotonic < u64::from(LEASE_MS) && by_wall < i64::from(LEASE_MS / 1_000)
    }
}
