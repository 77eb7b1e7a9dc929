//! From the queue into the log, in batches.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use claviger_model::{AuditEntry, CredentialKey, Slug, Timestamp, UserId};
use claviger_store::StoreError;
use tokio::sync::mpsc;

use super::lane::{Doubt, Lane};
use super::lanes::{self, Taken};
use super::uses::{Use, Waiting, What};
use super::{Act, Actor, AuditMode, Auditor, Note};
use crate::Missing;
use crate::serve::Chain;

/// How long uses wait for others to be counted with.
const GATHER: Duration = Duration::from_secs(1);

/// At most so many at once.
const BATCH: usize = 256;

/// How long a request waits for the log in strict mode.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a caller is told to wait when the log does not take its use, in seconds.
const RETRY_AFTER_S: u32 = 5;

/// How often the rest is tried when the process ends.
const LAST_TRIES: u32 = 5;

/// Takes what waits and writes it, on a chain of its own.
pub(super) struct Shipper {
    waiting: mpsc::Receiver<Waiting>,
    lost: Arc<AtomicU64>,
    taken: Taken,
    batch: Vec<Waiting>,
    /// What was tried to be written for the batch, while it is not known to be there.
    entries: Vec<AuditEntry>,
    counted: u64,
}

/// What makes two uses alike.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Alike {
    key: CredentialKey,
    user: UserId,
    client: Option<String>,
    token: Option<String>,
    server: Slug,
    version: Option<u64>,
}

struct Tally {
    count: u64,
    first: Timestamp,
    last: Timestamp,
}

// === impl Auditor ===

impl Auditor {
    /// Records that a credential is attached; in strict mode only then may it be.
    pub(crate) async fn used(&self, one: Use) -> Result<(), Missing> {
        let now = self.parts.clock.now();
        match self.parts.settings.mode {
            AuditMode::Off => Ok(()),
            AuditMode::Normal => {
                self.uses.offer(one, now);
                Ok(())
            }
            AuditMode::Strict => {
                let server = one.server.to_string();
                let unrecorded = || Missing::Unrecorded {
                    server,
                    retry_after_s: RETRY_AFTER_S,
                };
                let Some(stored) = self.uses.offer_strictly(one, now) else {
                    return Err(unrecorded());
                };
                tokio::select! {
                    stored = stored => stored.map_err(|_nobody_ships| unrecorded()),
                    () = self.parts.clock.sleep(PATIENCE) => Err(unrecorded()),
                }
            }
        }
    }

    /// Writes what waits, for as long as this process serves.
    pub async fn ship(&self) {
        let mut stopped = self.stopped.subscribe();
        let mut shipper = self.shipper.lock().await;
        loop {
            tokio::select! {
                _stopping = stopped.wait_for(|stopped| *stopped) => return,
                () = shipper.gather(self) => {}
            }
            let mut pause = 100;
            while let Err(error) = shipper.write(self).await {
                tracing::warn!(error = %Chain(&error), "the audit log does not take uses yet; trying again");
                tokio::select! {
                    _stopping = stopped.wait_for(|stopped| *stopped) => return,
                    () = self.parts.clock.sleep(Duration::from_millis(pause)) => {}
                }
                pause = (pause * 2).min(5_000);
            }
        }
    }

    /// Ends [`Auditor::ship`] and [`Auditor::keep`].
    pub fn stop(&self) {
        self.stopped.send_replace(true);
    }

    /// Writes the rest and ends the chains of this process. Nothing may be recorded after this.
    pub async fn close(&self) {
        self.stop();
        self.end_notices();
        let mut shipper = self.shipper.lock().await;
        let mut tries = 0;
        loop {
            shipper.take_waiting();
            if shipper.is_done() {
                break;
            }
            match shipper.write(self).await {
                Ok(()) => {}
                Err(error) if tries < LAST_TRIES => {
                    tries += 1;
                    tracing::warn!(error = %Chain(&error), "the audit log does not take the last uses yet");
                    self.parts.clock.sleep(Duration::from_millis(200)).await;
                }
                Err(error) => {
                    tracing::error!(error = %Chain(&error), uses = shipper.batch.len(), "the last uses were not recorded");
                    break;
                }
            }
        }
        let own = shipper.taken.take();
        drop(shipper);
        self.end_chains(own).await;
    }

    async fn end_chains(&self, own: Taken) {
        let anchor = self.anchor.lock().await.take();
        let mut all = self.lanes.take_all();
        all.extend([own, anchor]);
        for mut taken in all.into_iter().filter(|taken| taken.lane.is_begun()) {
            let ended = async {
                let key = self.key().await?;
                self.open(&mut taken, &key).await?;
                let (node, now) = (&self.parts.settings.node, self.parts.clock.now());
                let entry = taken.lane.next(&key, node, now, &Note::new(Act::End, node));
                let audit = self.parts.store.audit();
                lanes::append(&mut taken, &*audit, &[entry]).await
            };
            if let Err(error) = ended.await {
                tracing::warn!(error = %Chain(&error), "a chain of the audit log was not ended in order");
                return;
            }
        }
    }
}

// === impl Shipper ===

impl Shipper {
    pub(super) fn new(waiting: mpsc::Receiver<Waiting>, lost: Arc<AtomicU64>) -> Self {
        Self {
            waiting,
            lost,
            taken: Taken::alone(Lane::unnamed()),
            batch: Vec::new(),
            entries: Vec::new(),
            counted: 0,
        }
    }

    /// Waits for the first, and for those that come soon after it.
    async fn gather(&mut self, auditor: &Auditor) {
        if self.batch.is_empty() {
            match self.waiting.recv().await {
                Some(first) => self.batch.push(first),
                None => return core::future::pending().await,
            }
        }
        // Whoever waits for its use is not kept waiting; while one batch is written the next gathers.
        if auditor.parts.settings.mode != AuditMode::Strict {
            let enough = auditor.parts.clock.sleep(GATHER);
            let mut enough = core::pin::pin!(enough);
            while self.batch.len() < BATCH {
                tokio::select! {
                    more = self.waiting.recv() => match more {
                        Some(more) => self.batch.push(more),
                        None => break,
                    },
                    () = &mut enough => break,
                }
            }
        }
        self.take_waiting();
    }

    fn take_waiting(&mut self) {
        while self.batch.len() < BATCH {
            match self.waiting.try_recv() {
                Ok(more) => self.batch.push(more),
                Err(_none) => return,
            }
        }
    }

    fn is_done(&self) -> bool {
        self.batch.is_empty() && self.lost.load(Ordering::Relaxed) == 0
    }

    /// Writes the batch, once, however often this is tried: as long as nobody knows whether an
    /// earlier try is there, nothing else is written.
    async fn write(&mut self, auditor: &Auditor) -> Result<(), StoreError> {
        let (key, audit) = (auditor.key().await?, auditor.parts.store.audit());
        auditor.open(&mut self.taken, &key).await?;
        if self.is_there() {
            self.done(auditor);
            return Ok(());
        }
        self.counted = self.lost.load(Ordering::Relaxed);
        let mut notes = notes_of(&self.batch);
        if self.counted > 0 {
            let lost = Note::new(Act::Lost, &auditor.parts.settings.node);
            notes.push(lost.times(self.counted));
        }
        let (node, now) = (&auditor.parts.settings.node, auditor.parts.clock.now());
        self.entries = self.taken.lane.next_all(&key, node, now, &notes);
        lanes::append(&mut self.taken, &*audit, &self.entries).await?;
        self.done(auditor);
        Ok(())
    }

    /// Whether an earlier try arrived after all: the lane read it back.
    fn is_there(&self) -> bool {
        let (chain, seq) = (&self.taken.lane.chain, self.taken.lane.seq);
        let last = self.entries.last();
        self.taken.lane.doubt == Doubt::None
            && last.is_some_and(|last| last.chain == *chain && last.seq == seq)
            && last.is_some_and(|last| self.taken.lane.is_head(last))
    }

    fn done(&mut self, auditor: &Auditor) {
        auditor.count(&self.entries);
        self.lost.fetch_sub(self.counted, Ordering::Relaxed);
        self.counted = 0;
        self.entries.clear();
        for waiting in self.batch.drain(..) {
            // Its request may have gone away.
            let _gone = waiting.stored.map(|stored| stored.send(()));
        }
    }
}

/// What waits as entries: alike uses are counted together.
fn notes_of(batch: &[Waiting]) -> Vec<Note> {
    let mut uses: BTreeMap<Alike, Tally> = BTreeMap::new();
    let mut notes = Vec::new();
    for waiting in batch {
        match &waiting.what {
            What::Note(note) => notes.push((**note).clone()),
            What::Use(one) => {
                let tally = uses.entry(alike(one)).or_insert(Tally {
                    count: 0,
                    first: waiting.at,
                    last: waiting.at,
                });
                tally.count += 1;
                tally.last = waiting.at;
            }
        }
    }
    notes.extend(
        uses.into_iter()
            .map(|(alike, tally)| note_of(&alike, &tally)),
    );
    notes
}

fn alike(one: &Use) -> Alike {
    Alike {
        key: one.of.key().clone(),
        user: one.by.user.clone(),
        client: one.by.client.clone(),
        token: one.by.token.clone(),
        server: one.server.clone(),
        version: one.of.version(),
    }
}

fn note_of(alike: &Alike, tally: &Tally) -> Note {
    let key = &alike.key;
    let note = Note::new(Act::CredentialUse, &alike.server);
    let by = [("client", &alike.client), ("token", &alike.token)];
    let note = by.into_iter().fold(note, |note, (name, id)| match id {
        Some(id) => note.with(name, id.as_str()),
        None => note,
    });
    note.of_tenant(&key.tenant)
        .by(Actor::User(alike.user.clone()))
        .times(tally.count)
        .with("server", key.server.as_str())
        .with("user", key.user.as_str())
        .with("account", key.account.as_str())
        .with("version", alike.version)
        .with("first", tally.first.as_secs())
        .with("last", tally.last.as_secs())
}
