//! New generations, and everything sealed anew under them.

use std::collections::{BTreeMap, BTreeSet};

use claviger_model::{TenantId, Timestamp};
use claviger_ports::failpoint_in_task;
use claviger_store::{SealedRow, TenantStore};

use super::{Turn, TurnEvent, TurnSink, causes, describe};
use crate::{Act, Broker, HoldError, Note, VaultKey};

/// How many rows of a kind are taken at once: some milliseconds of work.
const BATCH: u32 = 100;

/// How often a row may change between our look and our write before the others are seen to first.
const MOST_RACES: u32 = 8;

/// What renewed keys are worth another generation for.
const RENEWED: [&str; 3] = ["tenant", "journal", "audit"];

// === impl Broker ===

impl Broker {
    /// Makes new generations and seals everything anew with them, while others read and write.
    ///
    /// Where rows are left from a turn that broke off, this one goes on with it and makes no
    /// further generation. It may be run by several processes at once.
    pub async fn turn_keys(&self, turn: &Turn, on: TurnSink<'_>) -> Result<(), HoldError> {
        let newest = self.newest_keys().await?;
        let mut left = BTreeMap::new();
        for key in &newest {
            if let Some(tenant) = &key.id.tenant {
                let rows = self.inner.parts.store.tenant(tenant);
                left.insert(
                    tenant.clone(),
                    rows.count_sealed_before(key.id.generation).await?,
                );
            }
        }
        let due = due(turn, &newest, &left);
        for key in &due {
            if !turn.dry_run {
                let audit = &self.inner.parts.audit;
                self.vault().renew(&key.id, audit, &self.by()).await?;
            }
            on(TurnEvent::Renewed(key.id.clone()));
        }
        if turn.dry_run {
            return self.foretell(&newest, &due, on).await;
        }
        for key in self.newest_keys().await? {
            if let Some(tenant) = &key.id.tenant {
                self.reseal_tenant(tenant, key.id.generation, on).await?;
            }
        }
        if turn.drop_old {
            let mut each = |id: &_| on(TurnEvent::Dropped(Clone::clone(id)));
            self.vault()
                .drop_old(&self.inner.parts.audit, &self.by(), &mut each)
                .await?;
        }
        Ok(())
    }

    async fn newest_keys(&self) -> Result<Vec<VaultKey>, HoldError> {
        let mut keys = self.vault().list().await?;
        keys.retain(|key| key.is_newest && RENEWED.contains(&key.id.purpose.as_str()));
        Ok(keys)
    }

    /// Says how many rows would be sealed anew.
    async fn foretell(
        &self,
        newest: &[VaultKey],
        due: &[&VaultKey],
        on: TurnSink<'_>,
    ) -> Result<(), HoldError> {
        for key in newest {
            let Some(tenant) = &key.id.tenant else {
                continue;
            };
            let is_due = due.iter().any(|due| due.id == key.id);
            let before = key.id.generation + u32::from(is_due);
            let rows = self.inner.parts.store.tenant(tenant);
            let total = rows.count_sealed_before(before).await?;
            on(TurnEvent::Resealed {
                tenant: tenant.clone(),
                done: 0,
                total,
            });
        }
        Ok(())
    }

    async fn reseal_tenant(
        &self,
        tenant: &TenantId,
        newest: u32,
        on: TurnSink<'_>,
    ) -> Result<(), HoldError> {
        let rows = self.inner.parts.store.tenant(tenant);
        let total = rows.count_sealed_before(newest).await?;
        let mut work = Work {
            done: 0,
            stuck: BTreeSet::new(),
            races: BTreeMap::new(),
            doubted: BTreeSet::new(),
        };
        if total == 0 {
            return Ok(());
        }
        loop {
            let stuck = u32::try_from(work.stuck.len()).unwrap_or(u32::MAX);
            let limit = BATCH.saturating_add(stuck);
            let mut batch = rows.list_sealed_before(newest, limit).await?;
            batch.retain(|row| !work.stuck.contains(&describe(row)));
            if batch.is_empty() {
                return Ok(());
            }
            for seen in batch {
                self.reseal_row(&*rows, &seen, &mut work, on).await?;
                failpoint_in_task!("keys.after_reseal");
            }
            on(TurnEvent::Resealed {
                tenant: tenant.clone(),
                done: work.done,
                total: total.max(work.done),
            });
        }
    }

    async fn reseal_row(
        &self,
        rows: &dyn TenantStore,
        seen: &SealedRow,
        work: &mut Work,
        on: TurnSink<'_>,
    ) -> Result<(), HoldError> {
        let name = describe(seen);
        match self.inner.resealed(rows, seen).await {
            // The row may have been rotated meanwhile, and that is newer than what we hold.
            Ok(Some(fresh)) if rows.reseal(seen, &fresh).await? => work.done += 1,
            Ok(Some(_)) => {
                let races = work.races.entry(name.clone()).or_insert(0);
                *races += 1;
                if *races >= MOST_RACES {
                    work.stuck.insert(name);
                }
            }
            // Its server is gone by now, and so is the row.
            Ok(None) => {
                work.stuck.insert(name);
            }
            Err(error) if error.may_pass() => return Err(error),
            // Another process may have sealed it anew, and dropped the key we wanted. Then it is not
            // there at the second look.
            Err(_) if work.doubted.insert(name.clone()) => {}
            // A208: what does not open keeps its key.
            Err(error) => {
                if let HoldError::Vault { source } = &error {
                    let about = || Note::new(Act::Tamper, &name).with("of", "key_turn");
                    self.inner.notice_tampered(source, about);
                }
                on(TurnEvent::Broken {
                    what: name.clone(),
                    why: causes(&error),
                });
                work.stuck.insert(name);
            }
        }
        Ok(())
    }
}

struct Work {
    done: u64,
    /// What cannot be sealed anew, by name.
    stuck: BTreeSet<String>,
    races: BTreeMap<String, u32>,
    /// What did not open when it was first tried.
    doubted: BTreeSet<String>,
}

/// The keys that get another generation. If an earlier turn broke off, those are the keys it had
/// not come to.
fn due<'a>(
    turn: &Turn,
    newest: &'a [VaultKey],
    left: &BTreeMap<TenantId, u64>,
) -> Vec<&'a VaultKey> {
    let is_open = |key: &&VaultKey| {
        let tenant = key.id.tenant.as_ref();
        tenant.is_some_and(|tenant| left.get(tenant).is_some_and(|rows| *rows > 0))
    };
    let began = newest
        .iter()
        .filter(is_open)
        .map(|key| key.created_at)
        .min();
    let before = |key: &&VaultKey, limit: Timestamp| key.created_at < limit;
    newest
        .iter()
        .filter(|key| began.is_none_or(|began| before(key, began)))
        .filter(|key| turn.made_before.is_none_or(|limit| before(key, limit)))
        .collect()
}
