//! The keys in memory: every generation by its row, and opened once somebody needs it.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use claviger_crypto::TenantKey;
use claviger_model::{KeyRow, TenantId};
use zeroize::Zeroizing;

/// Whose key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner<'a> {
    /// The installation's own, by purpose.
    Own(&'static str),
    /// A tenant's.
    Tenant(&'a TenantId),
}

/// All keys of a database.
#[derive(Default)]
pub(super) struct Shelf {
    own: BTreeMap<String, Generations>,
    tenants: BTreeMap<TenantId, Generations>,
    /// Tenants that had keys, and have none any more.
    removed: BTreeSet<TenantId>,
}

type Generations = BTreeMap<u32, Slot>;

struct Slot {
    row: KeyRow,
    opened: Option<Opened>,
}

#[derive(Clone)]
struct Opened {
    key: Zeroizing<[u8; 32]>,
    /// When it was unwrapped, if it may not be kept for good.
    since_ms: Option<u64>,
}

/// What is known of a key.
pub(super) enum Found {
    /// Nothing.
    Absent,
    /// It has to be unwrapped.
    Closed(Box<KeyRow>),
    /// Here it is.
    Opened(TenantKey),
}

// === impl Owner ===

impl<'a> Owner<'a> {
    pub(super) fn purpose(self) -> &'static str {
        match self {
            Self::Own(purpose) => purpose,
            Self::Tenant(_) => PURPOSE_TENANT,
        }
    }

    pub(super) fn tenant(self) -> Option<&'a TenantId> {
        match self {
            Self::Own(_) => None,
            Self::Tenant(tenant) => Some(tenant),
        }
    }
}

// === impl Shelf ===

impl Shelf {
    /// Takes what the database holds now. A key that is open stays so: rewrapping does not change
    /// it, and a generation is never made twice.
    pub(super) fn replace(&mut self, rows: Vec<KeyRow>) {
        let mut before = core::mem::take(self);
        self.removed = core::mem::take(&mut before.removed);
        self.removed.extend(before.tenants.keys().cloned());
        for row in rows {
            let opened = before
                .generations_mut(&row)
                .and_then(|generations| generations.remove(&row.generation))
                .filter(|slot| slot.is_same_key(&row))
                .and_then(|slot| slot.opened);
            let slot = Slot { row, opened };
            let generation = slot.row.generation;
            let generations = match &slot.row.tenant {
                Some(tenant) if slot.row.purpose == PURPOSE_TENANT => {
                    self.tenants.entry(tenant.clone()).or_default()
                }
                Some(_) => continue,
                None => self.own.entry(slot.row.purpose.clone()).or_default(),
            };
            generations.insert(generation, slot);
        }
        let Self {
            removed, tenants, ..
        } = self;
        removed.retain(|tenant| !tenants.contains_key(tenant));
    }

    /// Whether a tenant had keys here, and somebody destroyed them.
    pub(super) fn is_removed(&self, tenant: &TenantId) -> bool {
        self.removed.contains(tenant)
    }

    /// Looks for a generation, or for the newest one. What was unwrapped before `horizon_ms` is
    /// wrapped again.
    pub(super) fn find(
        &self,
        owner: Owner<'_>,
        generation: Option<u32>,
        horizon_ms: Option<u64>,
    ) -> Found {
        let generations = match owner {
            Owner::Own(purpose) => self.own.get(purpose),
            Owner::Tenant(tenant) => self.tenants.get(tenant),
        };
        let slot = generations.and_then(|generations| match generation {
            Some(generation) => generations.get(&generation),
            None => generations.last_key_value().map(|(_, slot)| slot),
        });
        let Some(slot) = slot else {
            return Found::Absent;
        };
        let kek_id = <[u8; 8]>::try_from(&*slot.row.kek_id);
        match (&slot.opened, kek_id) {
            (Some(opened), Ok(kek_id)) if opened.is_fresh(horizon_ms) => {
                Found::Opened(TenantKey::new(slot.row.generation, kek_id, *opened.key))
            }
            _ => Found::Closed(Box::new(slot.row.clone())),
        }
    }

    /// Keeps an unwrapped key.
    pub(super) fn keep(&mut self, row: &KeyRow, key: &Zeroizing<[u8; 32]>, since_ms: Option<u64>) {
        let slot = self
            .generations_mut(row)
            .and_then(|generations| generations.get_mut(&row.generation));
        if let Some(slot) = slot {
            slot.opened = Some(Opened {
                key: key.clone(),
                since_ms,
            });
        }
    }

    /// The newest generation of a key, and when it was made.
    pub(super) fn rows(&self) -> Vec<KeyRow> {
        let all = self.own.values().chain(self.tenants.values());
        all.flat_map(BTreeMap::values)
            .map(|slot| slot.row.clone())
            .collect()
    }

    fn generations_mut(&mut self, row: &KeyRow) -> Option<&mut Generations> {
        match &row.tenant {
            Some(tenant) => self.tenants.get_mut(tenant),
            None => self.own.get_mut(&row.purpose),
        }
    }
}

// === impl Slot ===

impl Slot {
    /// Whether the row wraps the key that is open: written anew under another KEK, it does. A tenant
    /// that was removed and made again has another key of the same name.
    fn is_same_key(&self, row: &KeyRow) -> bool {
        let known = &self.row;
        known.created_at == row.created_at
            && (known.wrapped == row.wrapped || known.kek_id != row.kek_id)
    }
}

// === impl Opened ===

impl Opened {
    fn is_fresh(&self, horizon_ms: Option<u64>) -> bool {
        match (self.since_ms, horizon_ms) {
            (Some(since), Some(horizon)) => since >= horizon,
            _ => true,
        }
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf")
            .field("own", &self.own.len())
            .field("tenants", &self.tenants.len())
            .field("removed", &self.removed.len())
            .finish()
    }
}

pub(super) const PURPOSE_TENANT: &str = "tenant";
