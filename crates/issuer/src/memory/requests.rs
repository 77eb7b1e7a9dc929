//! Authorization requests in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use claviger_model::Timestamp;

use super::MemoryStore;
use crate::{
    AccessRow, CodeRow, Family, IssuerStoreError, MAX_CODE_FAILURES, Pending, PushedRow,
    RequestRows, TokenMac,
};

#[async_trait]
impl RequestRows for MemoryStore {
    async fn insert_pending(&self, pending: Pending) -> Result<(), IssuerStoreError> {
        let mut rows = self.rows();
        // A073: abandoned requests make room and bother nobody.
        make_room(&mut rows.pending, self.limits.pending, |row| row.expires_at);
        rows.pending.insert(pending.id.clone(), pending);
        Ok(())
    }

    async fn find_pending(&self, id: &str) -> Result<Option<Pending>, IssuerStoreError> {
        Ok(self.rows().pending.get(id).cloned())
    }

    async fn take_pending(&self, id: &str) -> Result<Option<Pending>, IssuerStoreError> {
        Ok(self.rows().pending.remove(id))
    }

    async fn insert_pushed(&self, pushed: PushedRow) -> Result<(), IssuerStoreError> {
        let mut rows = self.rows();
        make_room(&mut rows.pushed, self.limits.pending, |row| row.expires_at);
        rows.pushed.insert(pushed.mac, pushed);
        Ok(())
    }

    async fn take_pushed(
        &self,
        mac: &TokenMac,
        client_id: &str,
    ) -> Result<Option<PushedRow>, IssuerStoreError> {
        let mut rows = self.rows();
        let own = rows
            .pushed
            .get(mac)
            .is_some_and(|row| row.client_id == client_id);
        Ok(own.then(|| rows.pushed.remove(mac)).flatten())
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
        rows.begin(family, access);
        Ok(true)
    }
}

/// Removes what ends first until there is room for one more.
pub(super) fn make_room<K: Ord + Clone, V>(
    rows: &mut BTreeMap<K, V>,
    limit: usize,
    expires_at: impl Fn(&V) -> Timestamp,
) {
    while rows.len() >= limit.max(1) {
        let first = rows.iter().min_by_key(|(_, row)| expires_at(row));
        let Some(key) = first.map(|(key, _)| key.clone()) else {
            return;
        };
        rows.remove(&key);
    }
}
