//! Grants in memory.

use async_trait::async_trait;
use claviger_model::{Timestamp, UserId};

use super::{MemoryStore, Rows};
use crate::{
    AccessRow, Family, FamilyMatch, GrantRows, IssuerStoreError, RefreshGrace, Replay, ReplayClaim,
    Rotate, TokenMac,
};

#[async_trait]
impl GrantRows for MemoryStore {
    async fn insert_family(
        &self,
        family: Family,
        access: AccessRow,
    ) -> Result<(), IssuerStoreError> {
        self.rows().begin(family, access);
        Ok(())
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
            family.current_mac == Some(rotate.current) && is_live(family, rotate.now)
        };
        let Some(family) = rows.families.get_mut(&grant).filter(live) else {
            return Ok(false);
        };
        family.current_mac = Some(rotate.next);
        family.idle_expires_at = rotate.idle_expires_at;
        family.replay = rotate.sealed.map(|sealed| Replay {
            previous_mac: rotate.current,
            sealed,
            rotated_at: rotate.now,
            uses: 0,
        });
        rows.refresh.insert(rotate.next, grant);
        rows.access.insert(rotate.access.mac, rotate.access);
        Ok(true)
    }

    async fn claim_replay(&self, claim: &ReplayClaim) -> Result<Option<Family>, IssuerStoreError> {
        let mut rows = self.rows();
        let Some(grant) = rows.refresh.get(&claim.previous).cloned() else {
            return Ok(None);
        };
        let Some(family) = rows.families.get_mut(&grant) else {
            return Ok(None);
        };
        if !is_live(family, claim.now) {
            return Ok(None);
        }
        let fits = |replay: &&mut Replay| replay.previous_mac == claim.previous;
        let Some(replay) = family.replay.as_mut().filter(fits) else {
            return Ok(None);
        };
        if !admits(claim.grace, replay, claim.now) {
            return Ok(None);
        }
        Ok(Some(family.clone()))
    }

    async fn revoke_grant(&self, grant: &str, now: Timestamp) -> Result<(), IssuerStoreError> {
        self.rows()
            .revoke(now, |family_grant, _| family_grant == grant);
        Ok(())
    }

    async fn revoke_user(&self, user: &UserId, now: Timestamp) -> Result<(), IssuerStoreError> {
        let mut rows = self.rows();
        rows.pending
            .retain(|_, row| row.user.as_ref() != Some(user));
        rows.codes.retain(|_, row| row.user != *user);
        rows.revoke(now, |_, of| of == user);
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
}

// === impl Rows ===

impl Rows {
    pub(super) fn begin(&mut self, family: Family, access: AccessRow) {
        if let Some(current) = family.current_mac {
            self.refresh.insert(current, family.grant.clone());
        }
        self.families.insert(family.grant.clone(), family);
        self.access.insert(access.mac, access);
    }

    fn revoke(&mut self, now: Timestamp, ends: impl Fn(&str, &UserId) -> bool) {
        for family in self.families.values_mut() {
            if ends(&family.grant, &family.user) {
                family.revoked_at.get_or_insert(now);
                family.replay = None;
            }
        }
        self.access.retain(|_, row| !ends(&row.grant, &row.user));
    }
}

fn is_live(family: &Family, now: Timestamp) -> bool {
    family.revoked_at.is_none() && family.expires_at > now && family.idle_expires_at > now
}

/// Counts what has to be counted. A clock that went back is no reason to refuse.
fn admits(grace: RefreshGrace, replay: &mut Replay, now: Timestamp) -> bool {
    let age = now.since(replay.rotated_at);
    if age <= i64::from(grace.free_s) {
        return true;
    }
    if age > i64::from(grace.limited_s) || replay.uses >= grace.limited_uses {
        return false;
    }
    replay.uses += 1;
    true
}
