//! An issuer's rows in memory: for demos and tests. They end with the process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use claviger_model::Timestamp;

use crate::{
    AccessRow, Client, ClientOrigin, CodeRow, DeviceRow, Family, IssuerStore, IssuerStoreError,
    OnceRows, Pending, PushedRow, TokenMac,
};

mod clients;
mod devices;
mod grants;
mod requests;

/// How many rows fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Clients that registered themselves, and retired ids; another one is refused.
    pub clients: usize,
    /// Authorization requests of each kind; the one that ends first gives way.
    pub pending: usize,
    /// Ids that are good once; another one is refused.
    pub once: usize,
}

/// Rows in memory.
#[derive(Debug)]
pub struct MemoryStore {
    limits: MemoryLimits,
    rows: Mutex<Rows>,
}

#[derive(Debug, Default)]
struct Rows {
    clients: BTreeMap<String, Client>,
    retired: BTreeSet<String>,
    pending: BTreeMap<String, Pending>,
    pushed: BTreeMap<TokenMac, PushedRow>,
    codes: BTreeMap<TokenMac, CodeRow>,
    devices: BTreeMap<TokenMac, DeviceRow>,
    families: BTreeMap<String, Family>,
    /// Every refresh token there ever was of a family that still is, by MAC.
    refresh: BTreeMap<TokenMac, String>,
    access: BTreeMap<TokenMac, AccessRow>,
    once: BTreeMap<TokenMac, Timestamp>,
}

// === impl MemoryLimits ===

impl Default for MemoryLimits {
    fn default() -> Self {
        Self {
            clients: 10_000,
            pending: 10_000,
            once: 100_000,
        }
    }
}

// === impl MemoryStore ===

impl MemoryStore {
    /// No rows.
    pub fn new(limits: MemoryLimits) -> Self {
        Self {
            limits,
            rows: Mutex::default(),
        }
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        // Nothing here panics between two changes that belong together.
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(MemoryLimits::default())
    }
}

#[async_trait]
impl OnceRows for MemoryStore {
    async fn claim_once(
        &self,
        mac: &TokenMac,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, IssuerStoreError> {
        let mut rows = self.rows();
        if rows.once.get(mac).is_some_and(|until| *until > now) {
            return Ok(false);
        }
        if rows.once.len() >= self.limits.once {
            rows.once.retain(|_, until| *until > now);
            // Forgetting one that still counts would let it come twice.
            if rows.once.len() >= self.limits.once {
                return Err(IssuerStoreError::Full);
            }
        }
        rows.once.insert(*mac, expires_at);
        Ok(true)
    }
}

#[async_trait]
impl IssuerStore for MemoryStore {
    async fn sweep(&self, now: Timestamp) -> Result<(), IssuerStoreError> {
        let mut rows = self.rows();
        let rows = &mut *rows;
        rows.clients.retain(|_, client| !is_idle(client, now));
        rows.pending.retain(|_, row| row.expires_at > now);
        rows.pushed.retain(|_, row| row.expires_at > now);
        rows.codes
            .retain(|_, row| row.expires_at.plus(CODE_MEMORY_S) > now);
        rows.devices.retain(|_, row| row.expires_at > now);
        // Spent refresh tokens are remembered until their family ends.
        rows.families.retain(|_, family| family.expires_at > now);
        rows.refresh
            .retain(|_, grant| rows.families.contains_key(grant));
        rows.access.retain(|_, row| row.expires_at > now);
        rows.once.retain(|_, until| *until > now);
        Ok(())
    }
}

// A028, Q47: one row for every click on "connect" would fill any table.
fn is_idle(client: &Client, now: Timestamp) -> bool {
    client.origin == ClientOrigin::Dynamic
        && match client.used_at {
            Some(used_at) => used_at.plus(CLIENT_IDLE_S) <= now,
            None => client.created_at.plus(CLIENT_UNUSED_S) <= now,
        }
}

/// Redeemed codes are remembered so long, to know them again.
const CODE_MEMORY_S: i64 = 3_600;
/// A client that never came back is forgotten after a day.
const CLIENT_UNUSED_S: i64 = 86_400;
/// One that did, after half a year without any use: longer than any family lives.
const CLIENT_IDLE_S: i64 = 180 * 86_400;
