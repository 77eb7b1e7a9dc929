//! Checkpoints, so that the missing end of a chain is noticed, and the end of what is too old.

use core::sync::atomic::Ordering;
use core::time::Duration;
use std::collections::BTreeMap;

use claviger_crypto::hex;
use claviger_model::AuditEntry;
use claviger_store::StoreError;
use serde_json::{Value, json};

use super::lane::Lane;
use super::lanes::{self, Taken, failed};
use super::{Act, Auditor, Note};
use crate::serve::Chain;

/// How often the heads of the chains are written down while anything happens.
const EVERY: Duration = Duration::from_mins(1);

/// How many checkpoints pass before old entries are looked for.
const PRUNE_EVERY: u32 = 60;

/// How many heads one entry names.
const HEADS: usize = 200;

const DAY_S: i64 = 86_400;

/// What this process wrote down of other chains, on a chain of its own.
#[derive(Debug)]
pub(super) struct Anchor {
    taken: Taken,
    known: BTreeMap<String, u64>,
    written: u64,
}

impl Default for Anchor {
    fn default() -> Self {
        Self {
            taken: Taken::alone(Lane::unnamed()),
            known: BTreeMap::new(),
            written: 0,
        }
    }
}

// === impl Anchor ===

impl Anchor {
    /// The lane, for ending it.
    pub(super) fn take(&mut self) -> Taken {
        self.taken.take()
    }

    /// Whether a head says something this process did not write down. A checkpoint alone does
    /// not: two nodes would answer each other's for ever.
    fn is_news(&self, head: &AuditEntry) -> bool {
        let known = self.known.get(&head.chain).copied().unwrap_or(0);
        let is_checkpoint = head.act == Act::Checkpoint.as_str();
        head.seq > known + u64::from(is_checkpoint)
    }
}

// === impl Auditor ===

impl Auditor {
    /// Writes checkpoints and lets old entries go, until [`Auditor::stop`].
    pub async fn keep(&self) {
        let mut stopped = self.stopped.subscribe();
        let mut round = 0;
        loop {
            if round % PRUNE_EVERY == 1
                && let Err(error) = self.prune().await
            {
                tracing::warn!(error = %Chain(&error), "old entries of the audit log are still there");
            }
            round += 1;
            tokio::select! {
                _stopping = stopped.wait_for(|stopped| *stopped) => return,
                () = self.parts.clock.sleep(EVERY) => {}
            }
            self.count_notices();
            if let Err(error) = self.checkpoint().await {
                tracing::warn!(error = %Chain(&error), "the heads of the audit log were not written down");
            }
        }
    }

    /// Writes down how far every chain has come, this node's and others', where this process did
    /// something since it last did so. Says how many chains were named.
    pub async fn checkpoint(&self) -> Result<usize, StoreError> {
        let mut anchor = self.anchor.lock().await;
        let written = self.written.load(Ordering::Relaxed);
        if written == anchor.written {
            return Ok(0);
        }
        let (key, audit) = (self.key().await?, self.parts.store.audit());
        self.open(&mut anchor.taken, &key).await?;
        let own = anchor.taken.lane.chain.clone();
        let mut heads = audit.list_chain_heads().await?;
        heads.retain(|head| head.chain != own && anchor.is_news(head));
        let notes: Vec<Note> = heads
            .chunks(HEADS)
            .map(|heads| checkpoint(&self.parts.settings.node, heads))
            .collect();
        let (node, now) = (&self.parts.settings.node, self.parts.clock.now());
        let entries = anchor.taken.lane.next_all(&key, node, now, &notes);
        lanes::append(&mut anchor.taken, &*audit, &entries).await?;
        let named = heads.len();
        anchor
            .known
            .extend(heads.into_iter().map(|head| (head.chain, head.seq)));
        anchor.written = written;
        Ok(named)
    }

    /// Deletes entries that are too old. What is deleted last of a chain is written down with its
    /// MAC, so that the rest can be verified. Says how many went.
    pub async fn prune(&self) -> Result<u64, StoreError> {
        let audit = self.parts.store.audit();
        let days = i64::from(self.parts.settings.keep_days);
        let before = self.parts.clock.now().plus(-days.saturating_mul(DAY_S));
        let mut gone = 0;
        for (chain, seq) in audit.list_aged_chains(before).await? {
            let mut anchor = self.anchor.lock().await;
            if chain == anchor.taken.lane.chain {
                continue;
            }
            let last = audit.list_chain(&chain, seq.saturating_sub(1), 1).await?;
            let Some(last) = last.first().filter(|last| last.seq == seq) else {
                continue;
            };
            let key = self.key().await?;
            self.open(&mut anchor.taken, &key).await?;
            let note = Note::new(Act::Prune, &chain)
                .with("seq", seq)
                .with("mac", hex(&last.mac));
            let (node, now) = (&self.parts.settings.node, self.parts.clock.now());
            let entry = anchor.taken.lane.next(&key, node, now, &note);
            anchor.taken.lane.attempt(&entry);
            let pruned = audit.prune_chain(&chain, seq, &entry).await;
            match &pruned {
                Ok(_) => anchor.taken.lane.kept(&entry),
                Err(error) => failed(&mut anchor.taken.lane, error),
            }
            gone += pruned?;
        }
        Ok(gone)
    }
}

pub(super) fn checkpoint(node: &str, heads: &[AuditEntry]) -> Note {
    let heads: Vec<Value> = heads
        .iter()
        .map(|head| json!([head.chain, head.seq, hex(&head.mac)]))
        .collect();
    Note::new(Act::Checkpoint, node).with("heads", heads)
}
