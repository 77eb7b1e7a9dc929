//! The chains of this process: as many as there are writes at once.

use std::sync::{Arc, Mutex, PoisonError};

use claviger_model::{AuditEntry, Timestamp};
use claviger_store::{Audit, StoreError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::lane::{Doubt, Lane};
use super::note::generation_of;
use super::{Act, AuditParts, Came, Note};
use crate::AuditKey;

/// At most so many writes at once; further ones wait for a lane.
const MOST: usize = 32;

/// How many entries one look reads.
const LOOK: u32 = 512;

/// Lanes nobody uses just now.
#[derive(Debug)]
pub(super) struct Lanes {
    free: Mutex<Vec<Lane>>,
    permits: Arc<Semaphore>,
    /// When this process began.
    pub(super) began: Timestamp,
}

/// A lane in use. It goes back by itself, with its doubts, however its user ends.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) lane: Lane,
    home: Option<(Arc<Lanes>, OwnedSemaphorePermit)>,
}

// === impl Lanes ===

impl Lanes {
    pub(super) fn new(began: Timestamp) -> Self {
        Self {
            free: Mutex::default(),
            permits: Arc::new(Semaphore::new(MOST)),
            began,
        }
    }

    /// The lane used last, or a new one while all are in use.
    pub(super) async fn take(self: &Arc<Self>) -> Taken {
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
        let free = self
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        Taken {
            lane: free.unwrap_or_else(Lane::unnamed),
            home: permit.map(|permit| (Arc::clone(self), permit)),
        }
    }

    /// Every lane that is free, for good: this process ends.
    pub(super) fn take_all(&self) -> Vec<Taken> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.drain(..).map(Taken::alone).collect()
    }
}

// === impl Taken ===

impl Taken {
    /// Takes it away from its one user.
    pub(super) fn take(&mut self) -> Self {
        Self::alone(core::mem::replace(&mut self.lane, Lane::unnamed()))
    }

    /// A lane that belongs to its one user.
    pub(super) fn alone(lane: Lane) -> Self {
        Self { lane, home: None }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some((home, _permit)) = self.home.take() {
            let lane = core::mem::replace(&mut self.lane, Lane::unnamed());
            let mut free = home.free.lock().unwrap_or_else(PoisonError::into_inner);
            free.push(lane);
        }
    }
}

/// Begins the chain of a lane, and clears what is in doubt about it.
pub(super) async fn open(
    taken: &mut Taken,
    audit: &dyn Audit,
    key: &AuditKey,
    parts: &AuditParts,
    began: Timestamp,
) -> Result<(), StoreError> {
    match taken.lane.doubt {
        Doubt::None => {}
        Doubt::Taken => look(taken, audit, key, parts).await?,
        Doubt::Unheard(_) => clear(taken, audit, key, parts).await?,
    }
    if taken.lane.seq > 0 {
        return Ok(());
    }
    let mut begin = Note::new(Act::Begin, &parts.settings.node)
        .with("version", parts.settings.version.as_str())
        .with("started", began.as_secs());
    if taken.lane.is_unnamed() {
        taken.lane = Lane::new(parts.entropy.id_bytes());
    } else {
        begin = begin.with("again", true);
    }
    let (node, now) = (&parts.settings.node, parts.clock.now());
    let entry = taken.lane.next(key, node, now, &begin);
    append(taken, audit, &[entry]).await
}

/// Writes entries that follow on the lane, all or none.
pub(super) async fn append(
    taken: &mut Taken,
    audit: &dyn Audit,
    entries: &[AuditEntry],
) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
        return Ok(());
    };
    taken.lane.attempt(first);
    let written = audit.append_audit(entries).await;
    match &written {
        Ok(()) => taken.lane.kept(last),
        Err(error) => failed(&mut taken.lane, error),
    }
    written
}

/// What a failed write says about its entry.
pub(super) fn failed(lane: &mut Lane, error: &StoreError) {
    match error {
        // The transaction was refused as a whole; only what was in its way is not known.
        StoreError::AuditConflict | StoreError::Conflict => lane.conflicted(),
        StoreError::Corrupt { .. } => lane.not_kept(),
        // It may be there all the same: the connection was lost, or nobody waited long enough.
        _ => {}
    }
}

/// An entry was handed over and nobody said what came of it; it may even be on its way still. So
/// its number is taken by an empty entry: from then on either that one is there, or the other.
async fn clear(
    taken: &mut Taken,
    audit: &dyn Audit,
    key: &AuditKey,
    parts: &AuditParts,
) -> Result<(), StoreError> {
    let Doubt::Unheard(entry) = &taken.lane.doubt else {
        return Ok(());
    };
    let entry = (**entry).clone();
    // A beginning says the same whenever it is said, so it is said again.
    let (fence, now) = if entry.act == Act::Begin.as_str() {
        (entry.clone(), entry.at)
    } else {
        let now = parts.clock.now();
        let void = Note::new(Act::Void, &entry.act).came(Came::Ambiguous);
        let node = &parts.settings.node;
        (taken.lane.next(key, node, now, &void), now)
    };
    tracing::debug!(chain = %entry.chain, seq = entry.seq, at = now.as_secs(), "an entry of the audit log is in doubt");
    match audit.append_audit(core::slice::from_ref(&fence)).await {
        Ok(()) => {
            taken.lane.kept(&fence);
            Ok(())
        }
        Err(StoreError::Conflict) => look(taken, audit, key, parts).await,
        Err(error) => Err(error),
    }
}

/// Reads what stands behind the head this process remembers. What is there was stored by this
/// process; anything else was put there by somebody else, and then the chain is left as it is.
async fn look(
    taken: &mut Taken,
    audit: &dyn Audit,
    key: &AuditKey,
    parts: &AuditParts,
) -> Result<(), StoreError> {
    let found = audit
        .list_chain(&taken.lane.chain, taken.lane.seq, LOOK)
        .await?;
    for entry in &found {
        let key = match generation_of(entry) {
            // The key may have been renewed since.
            Some(other) if other != key.generation => parts.vault.audit_key_of(other).await.ok(),
            _ => Some(key.clone()),
        };
        if !key.is_some_and(|key| taken.lane.is_next(&key, entry)) {
            tracing::error!(chain = %entry.chain, seq = entry.seq, "somebody else wrote into a chain of the audit log; another one is begun");
            taken.lane = Lane::new(parts.entropy.id_bytes());
            return Ok(());
        }
        taken.lane.kept(entry);
    }
    taken.lane.not_kept();
    Ok(())
}
