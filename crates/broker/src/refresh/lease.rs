//! The lease of one flight, and the beat that keeps it.
//!
//! A lease is short, and is extended while its flight lives: a holder that dies blocks nobody for
//! longer than [`LEASE_MS`], which is what an issuer with a timed grace for the token before needs
//! (`security.md` 2.1, P1). The database's clock decides. A holder that cannot reach the database
//! loses the lease by time; what it brings home later is stored by its fingerprint all the same
//! (F17, F18).

use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};

use claviger_model::{CredentialKey, Timestamp};
use claviger_store::{Lease, StoreError};
use futures_util::future::join;
use tokio::sync::Notify;

use crate::broker::Inner;
use crate::serve::Chain;

/// How long a lease lasts without a beat, in milliseconds.
const LEASE_MS: u32 = 15_000;

/// How often it is extended. Two beats may be lost.
const BEAT: Duration = Duration::from_secs(4);

/// How long after the last beat a request may still be sent, in milliseconds: what is left covers
/// a usual answer even if no beat comes through any more.
const SEND_MS: u64 = 9_000;

/// How long a flight that lost its lease lets the one that took over store first, in milliseconds:
/// a little more than a lease without a beat.
const TURN_MS: u64 = 20_000;

/// How often it looks whether that is done.
const LOOK: Duration = Duration::from_millis(200);

/// A lease that was taken.
pub(crate) struct Holding {
    owner: String,
    key: CredentialKey,
    beat: Mutex<Beat>,
}

/// The lease as it was given last, and when, by our own clocks.
struct Beat {
    lease: Lease,
    since_ms: u64,
    since: Timestamp,
}

// === impl Holding ===

impl Holding {
    /// Takes the lease of `key` for `owner`, unless somebody holds it.
    pub(crate) async fn take(
        inner: &Inner,
        key: &CredentialKey,
        owner: &str,
    ) -> Result<Option<Self>, StoreError> {
        let beat = Beat::ask(inner, key, owner).await?;
        Ok(beat.map(|beat| Self {
            owner: owner.to_owned(),
            key: key.clone(),
            beat: Mutex::new(beat),
        }))
    }

    /// Does `work` while the lease is kept.
    pub(super) async fn keep<T>(&self, inner: &Inner, work: impl Future<Output = T>) -> T {
        let done = Notify::new();
        let working = async {
            let worked = work.await;
            done.notify_one();
            worked
        };
        let beating = async {
            loop {
                tokio::select! {
                    () = done.notified() => return,
                    () = inner.parts.clock.sleep(BEAT) => {}
                }
                // Not broken off when the work is done: it would hold on to what was given back.
                if let Err(error) = self.extend(inner).await {
                    tracing::debug!(error = %Chain(&error), "could not extend a lease");
                }
            }
        };
        join(working, beating).await.0
    }

    /// Whether it is of this credential.
    pub(crate) fn is_of(&self, key: &CredentialKey) -> bool {
        self.key == *key
    }

    /// As it was given last.
    pub(crate) fn lease(&self) -> Lease {
        self.beat().lease.clone()
    }

    /// After this, by the monotonic clock, no request may begin.
    pub(super) fn send_by_ms(&self) -> u64 {
        self.beat().since_ms.saturating_add(SEND_MS)
    }

    /// Whether it is ours, and takes it again where its time is over and nobody took it since. Who
    /// is told no must not judge what an answer of the issuer means: another flight is under way
    /// with the same token (A121).
    pub(super) async fn is_ours(&self, inner: &Inner) -> Result<bool, StoreError> {
        if self.beat().is_surely_ours(inner) {
            return Ok(true);
        }
        self.extend(inner).await
    }

    /// Waits while another flight has the lease: it sent the same token after we did, and of two
    /// answers an issuer that tolerates this knows the later one, which is theirs. They store
    /// first, and ours is then seen to be the older one (F18).
    pub(super) async fn wait_for_turn(&self, inner: &Inner) {
        let clock = &inner.parts.clock;
        let began_ms = clock.monotonic_ms();
        while matches!(self.is_ours(inner).await, Ok(false))
            && clock.monotonic_ms().saturating_sub(began_ms) < TURN_MS
        {
            clock.sleep(LOOK).await;
        }
    }

    /// Gives it back.
    pub(crate) async fn release(self, inner: &Inner) {
        let lease = self.lease();
        if let Err(error) = inner.rows(&self.key).release_lease(&self.key, &lease).await {
            // It runs out by itself.
            tracing::debug!(error = %Chain(&error), "could not give a lease back");
        }
    }

    /// False if somebody else has it.
    async fn extend(&self, inner: &Inner) -> Result<bool, StoreError> {
        let again = Beat::ask(inner, &self.key, &self.owner).await?;
        let is_ours = again.is_some();
        if let Some(again) = again {
            *self.beat() = again;
        }
        Ok(is_ours)
    }

    fn beat(&self) -> MutexGuard<'_, Beat> {
        self.beat.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Beat ===

impl Beat {
    async fn ask(
        inner: &Inner,
        key: &CredentialKey,
        owner: &str,
    ) -> Result<Option<Self>, StoreError> {
        let clock = &inner.parts.clock;
        // Before the call: the database counts from a moment after this.
        let (since_ms, since) = (clock.monotonic_ms(), clock.now());
        let lease = inner.rows(key).acquire_lease(key, owner, LEASE_MS).await?;
        Ok(lease.map(|lease| Self {
            lease,
            since_ms,
            since,
        }))
    }

    /// Both clocks: one stands still while the machine sleeps, the other may be set back.
    fn is_surely_ours(&self, inner: &Inner) -> bool {
        let clock = &inner.parts.clock;
        let by_monotonic = clock.monotonic_ms().saturating_sub(self.since_ms);
        let by_wall = clock.now().since(self.since).max(0);
        by_monotonic < u64::from(LEASE_MS) && by_wall < i64::from(LEASE_MS / 1_000)
    }
}
