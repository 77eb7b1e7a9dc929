//! Turning keys: new generations, wrapping anew under another KEK, dropping what nobody needs.

use core::fmt;

use claviger_crypto::hex;
use claviger_model::{KeyRow, TenantId, Timestamp};
use claviger_ports::failpoint_in_task;
use claviger_store::StoreError;

use super::ring::{SENTINEL, made};
use super::shelf::{Owner, PURPOSE_TENANT};
use super::{AUDIT, JOURNAL, Vault, VaultError};
use crate::Auditor;
use crate::audit::{Act, Actor, Note};

/// Which generation of which key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId {
    /// The tenant; `None` for the installation's own keys.
    pub tenant: Option<TenantId>,
    /// What it is for.
    pub purpose: String,
    /// Counts from 1.
    pub generation: u32,
}

/// A key as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultKey {
    /// Which.
    pub id: KeyId,
    /// The KEK that wraps it, in hexadecimal.
    pub kek_id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether what is written now is sealed with it.
    pub is_newest: bool,
}

/// How long the newest generation has been there before older ones may go.
const QUIET_S: i64 = 120;

// === impl Vault ===

impl Vault {
    /// The ids of the KEKs at hand, in hexadecimal; the first one wraps.
    pub fn kek_ids(&self) -> Vec<String> {
        self.ring.keks.ids()
    }

    /// Every key of the database, read anew.
    pub(crate) async fn list(&self) -> Result<Vec<VaultKey>, VaultError> {
        self.reload().await?;
        let rows = self.ring.rows();
        let info = |row: &KeyRow| VaultKey {
            id: KeyId::of(row),
            kek_id: hex(&row.kek_id),
            created_at: row.created_at,
            is_newest: newest_of(&rows, row) == row.generation,
        };
        Ok(rows.iter().map(info).collect())
    }

    /// Makes the generation after `seen`, unless somebody made one in between.
    pub(crate) async fn renew(
        &self,
        seen: &KeyId,
        audit: &Auditor,
        by: &Actor,
    ) -> Result<bool, VaultError> {
        let owner = match (&seen.tenant, seen.purpose.as_str()) {
            (Some(tenant), PURPOSE_TENANT) => Owner::Tenant(tenant),
            (None, "journal") => JOURNAL,
            (None, "audit") => AUDIT,
            _ => return Err(VaultError::UnknownKey),
        };
        let row = self.ring.draw(owner, seen.generation + 1).await?;
        let note = Note::new(Act::KeysRotate, KeyId::of(&row)).by(by.clone());
        let (draft, keys) = audit.change_keys(note).await?;
        let done = made(draft.settle(keys.insert_key(&row).await))?;
        self.reload().await?;
        Ok(done)
    }

    /// The keys that another KEK than the first one wraps.
    pub(crate) async fn list_foreign(&self) -> Result<Vec<KeyId>, VaultError> {
        Ok(self.foreign_rows().await?.iter().map(KeyId::of).collect())
    }

    /// Wraps every key under the first KEK; `each` is told of every one, and why it failed. What
    /// the keys seal is not touched, and the KEK before is still needed until all are done.
    pub(crate) async fn rewrap(
        &self,
        audit: &Auditor,
        by: &Actor,
        each: &mut (dyn FnMut(&KeyId, Result<(), VaultError>) + Send),
    ) -> Result<(), VaultError> {
        self.ring.ensure_sentinel().await?;
        for row in self.foreign_rows().await? {
            match self.rewrap_one(&row, audit, by).await {
                Err(error @ (VaultError::Store { .. } | VaultError::Unavailable { .. })) => {
                    return Err(error);
                }
                // One that was tampered with does not hold up the others.
                done => each(&KeyId::of(&row), done),
            }
            failpoint_in_task!("keys.after_rewrap");
        }
        self.reload().await
    }

    /// Whether a key opens.
    pub(crate) async fn try_open(&self, id: &KeyId) -> Result<(), VaultError> {
        let rows = self.ring.rows();
        let row = rows.iter().find(|row| KeyId::of(row) == *id);
        let row = row.ok_or(VaultError::UnknownKey)?;
        self.ring.keks.unwrap(row).await?;
        Ok(())
    }

    /// Deletes the tenant keys nothing is sealed with any more, and sentinels of KEKs that wrap
    /// nothing (A208). What is in use stays: the database sees to it.
    pub(crate) async fn drop_old(
        &self,
        audit: &Auditor,
        by: &Actor,
        each: &mut (dyn FnMut(&KeyId) + Send),
    ) -> Result<(), VaultError> {
        let now = self.ring.clock.now();
        self.reload().await?;
        let rows = self.ring.rows();
        // Rows stand by generation, so that the oldest goes first.
        for row in rows.iter().filter(|row| is_droppable(&rows, row)) {
            let newer = rows.iter().filter(|other| is_same_key(row, other));
            let newest = newer.max_by_key(|other| other.generation);
            let made = newest.map_or(now, |newest| newest.created_at);
            // Everybody hears of a new key within a second. Who has not heard of it yet would seal
            // with a key that is gone.
            if row.purpose == PURPOSE_TENANT && now.as_secs() - made.as_secs() < QUIET_S {
                continue;
            }
            let tenant = row.tenant.as_ref();
            let note = Note::new(Act::KeysDrop, KeyId::of(row)).by(by.clone());
            let (draft, keys) = audit.change_keys(note).await?;
            let deleted = keys.delete_key(tenant, &row.purpose, row.generation);
            match draft.settle(deleted.await) {
                Ok(true) => each(&KeyId::of(row)),
                Ok(false) | Err(StoreError::Conflict) => {}
                Err(source) => return Err(source.into()),
            }
        }
        self.reload().await
    }

    async fn foreign_rows(&self) -> Result<Vec<KeyRow>, VaultError> {
        self.reload().await?;
        let first = self.ring.keks.first().id();
        let mut rows = self.ring.rows();
        rows.retain(|row| row.purpose != SENTINEL && row.kek_id != first);
        Ok(rows)
    }

    async fn rewrap_one(
        &self,
        row: &KeyRow,
        audit: &Auditor,
        by: &Actor,
    ) -> Result<(), VaultError> {
        let key = self.ring.keks.unwrap(row).await?;
        let mut fresh = row.clone();
        fresh.kek_id = self.ring.keks.first().id().to_vec();
        fresh.wrapped = self.ring.wrap(&fresh, &key).await?;
        // False where another process was first: then it is wrapped as well.
        let note = Note::new(Act::KeysRewrap, KeyId::of(row))
            .by(by.clone())
            .with("kek", hex(&fresh.kek_id));
        let (draft, keys) = audit.change_keys(note).await?;
        draft.settle(keys.rewrap_key(&fresh, &row.kek_id).await)?;
        Ok(())
    }
}

// === impl KeyId ===

impl KeyId {
    fn of(row: &KeyRow) -> Self {
        Self {
            tenant: row.tenant.clone(),
            purpose: row.purpose.clone(),
            generation: row.generation,
        }
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tenant {
            Some(tenant) => write!(
                f,
                "{} {tenant}, generation {}",
                self.purpose, self.generation
            ),
            None => write!(f, "{}, generation {}", self.purpose, self.generation),
        }
    }
}

fn is_same_key(one: &KeyRow, other: &KeyRow) -> bool {
    one.tenant == other.tenant && one.purpose == other.purpose
}

fn newest_of(rows: &[KeyRow], row: &KeyRow) -> u32 {
    let same = rows.iter().filter(|other| is_same_key(row, other));
    same.map(|other| other.generation).max().unwrap_or(0)
}

/// Audit keys verify what was written with them, and a journal of a node that is down may still
/// hold a token: those stay.
fn is_droppable(rows: &[KeyRow], row: &KeyRow) -> bool {
    let is_used = |kek: &[u8]| {
        let mut wrapped = rows.iter().filter(|other| other.purpose != SENTINEL);
        wrapped.any(|other| other.kek_id == kek)
    };
    match row.purpose.as_str() {
        PURPOSE_TENANT => row.generation < newest_of(rows, row),
        SENTINEL => row.generation < newest_of(rows, row) && !is_used(&row.kek_id),
        _ => false,
    }
}
