//! An issuer's rows in memory: for demos and tests. They end with the process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use claviger_model::Timestamp;

use crate::{
    AccessRow, Client, CodeRow, Family, FamilyMatch, IssuerStore, IssuerStoreError,
    MAX_CODE_FAILURES, Pending, Rotate, TokenMac,
};

/// Redeemed codes are remembered so long, to know them again.
const CODE_MEMORY_S: i64 = 3_600;

/// How many rows fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Clients; another one is refused.
    pub clients: usize,
    /// Authorization requests; the one that ends first gives way.
    pub pending: usize,
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
    pending: BTreeMap<String, Pending>,
    codes: BTreeMap<TokenMac, CodeRow>,
    families: BTreeMap<String, Family>,
    /// Every refresh token there ever was of a family that still is, by MAC.
    refresh: BTreeMap<TokenMac, String>,
    access: BTreeMap<TokenMac, AccessRow>,
}

// === impl MemoryLimits ===

impl Default for MemoryLimits {
    fn default() -> Self {
        Self {
            clients: 10_000,
            pending: 10_000,
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
impl IssuerStore for MemoryStore {
    async fn insert_client(&self, client: Client) -> Result<(), IssuerStoreError> {
        let mut rows = self.rows();
        if rows.clients.len() >= self.limits.clients {
            return Err(IssuerStoreError::Full);
        }
        rows.clients.insert(client.id.clone(), client);
        Ok(())
    }

    async fn find_client(&self, id: &str) -> Result<Option<Client>, IssuerStoreError> {
        Ok(self.rows().clients.get(id).cloned())
    }

    async fn insert_pending(&self, pending: Pending) -> Result<(), IssuerStoreError> {
        let mut rows = self.rows();
        // A073: abandoned requests make room and bother nobody.
        if rows.pending.len() >= self.limits.pending {
            let first = rows.pending.values().min_by_key(|one| one.expires_at);
            if let Some(id) = first.map(|one| one.id.clone()) {
                rows.pending.remove(&id);
            }
        }
        rows.pending.insert(pending.id.clone(), pending);
        Ok(())
    }

    async fn find_pending(&self, id: &str) -> Result<Option<Pending>, IssuerStoreError> {
        Ok(self.rows().pending.get(id).cloned())
    }

    async fn take_pending(&self, id: &str) -> Result<Option<Pending>, IssuerStoreError> {
        Ok(self.rows().pending.remove(id))
    }

    async fn insert_code(&self, code: CodeRow) -> Result<(), IssuerStoreError> {
        self.rows().codes.insert(code.mac, code);
        Ok(())
    }

    async fn find_code(&self, mac: &TokenMac) -> Result<Option<CodeRow>, IssuerStoreError> {
        Ok(self.rows().codes.get(mac).cloned())
    }

    async fn count_code_failure(&self, mac: &TokenMac) -> Result<(), IssuerStoreError> {
        if let Some(code) = self.rows().codes.get_mut(mac) {
            code.failures = code.failures.saturating_add(1);
        }
        Ok(())
    }

    async fn redeem_code(
        &self,
        mac: &TokenMac,
        family: Family,
        access: AccessRow,
    ) -> Result<bool, IssuerStoreError> {
        let mut rows = self.rows();
        let good = |code: &&mut CodeRow| !code.is_redeemed && code.failures < MAX_CODE_FAILURES;
        let Some(code) = rows.codes.get_mut(mac).filter(good) else {
            return Ok(false);
        };
        code.is_redeemed = true;
        if let Some(current) = family.current_mac {
            rows.refresh.insert(current, family.grant.clone());
        }
        rows.families.insert(family.grant.clone(), family);
        rows.access.insert(access.mac, access);
        Ok(true)
    }

    async fn find_family(&self, mac: &TokenMac) -> Result<Option<FamilyMatch>, IssuerStoreError> {
        let rows = self.rows();
        let family = rows.refresh.get(mac).and_then(|id| rows.families.get(id));
        Ok(family.cloned().map(|family| {
            if family.current_mac == Some(*mac) {
                FamilyMatch::Current(family)
            } else {
                FamilyMatch::Spent(family)
            }
        }))
    }

    async fn rotate(&self, rotate: Rotate) -> Result<bool, IssuerStoreError> {
        let mut rows = self.rows();
        let Some(grant) = rows.refresh.get(&rotate.current).cloned() else {
            return Ok(false);
        };
        let live = |family: &&mut Family| {
            family.current_mac == Some(rotate.current) && family.revoked_at.is_none()
        };
        let Some(family) = rows.families.get_mut(&grant).filter(live) else {
            return Ok(false);
        };
        family.current_mac = Some(rotate.next);
        family.idle_expires_at = rotate.idle_expires_at;
        rows.refresh.insert(rotate.next, grant);
        rows.access.insert(rotate.access.mac, rotate.access);
        Ok(true)
    }

    async fn revoke_grant(&self, grant: &str, now: Timestamp) -> Result<(), IssuerStoreError> {
        let mut rows = self.rows();
        if let Some(family) = rows.families.get_mut(grant) {
            family.revoked_at.get_or_insert(now);
        }
        rows.access.retain(|_, access| access.grant != grant);
        Ok(())
    }

    async fn find_access(&self, mac: &TokenMac) -> Result<Option<AccessRow>, IssuerStoreError> {
        let rows = self.rows();
        let live = |row: &&AccessRow| {
            let family = rows.families.get(&row.grant);
            family.is_some_and(|family| family.revoked_at.is_none())
        };
        Ok(rows.access.get(mac).filter(live).cloned())
    }

    async fn revoke_access(&self, mac: &TokenMac) -> Result<(), IssuerStoreError> {
        self.rows().access.remove(mac);
        Ok(())
    }

    async fn sweep(&self, now: Timestamp) -> Result<(), IssuerStoreError> {
        let mut rows = self.rows();
        let rows = &mut *rows;
        rows.pending.retain(|_, row| row.expires_at > now);
        rows.codes
            .retain(|_, row| row.expires_at.plus(CODE_MEMORY_S) > now);
        // Spent refresh tokens are remembered until their family ends.
        rows.families.retain(|_, family| family.expires_at > now);
        rows.refresh
            .retain(|_, grant| rows.families.contains_key(grant));
        rows.access.retain(|_, row| row.expires_at > now);
        Ok(())
    }
}
