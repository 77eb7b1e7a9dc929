//! The audit log: what was done with credentials, by whom, in chains that show when somebody
//! changed them (N11).
//!
//! `act` names what is recorded, `note` says it, `canonical` is what a MAC covers, `lane` one chain
//! this process writes, `lanes` all of them, `line` the form of an export, `draft` entries that stand in the transaction of
//! their change, `uses` and `ship` the queue of uses, `notices` what others can repeat at will, `anchor` the checkpoints and the pruning, and
//! `verify` the proof. `docs/audit.md` says what is proved and what is not.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use claviger_model::{AuditEntry, TenantId};
use claviger_ports::{Clock, Entropy};
use claviger_store::{Installations, Keys, Store, StoreError, TenantStore};
use tokio::sync::{Mutex, watch};

pub use act::Act;
pub use draft::{Changed, Draft};
pub use line::{
    Exported, LONGEST as LONGEST_LINE, Unreadable, is_key_of_log, line_of_entry, line_of_key,
    read_line,
};
pub use note::generation_of;
pub use note::{Actor, Came, Note};
pub use verify::{Problem, ProblemKind, Verdict, Verifier};

use crate::{AuditKey, Vault, VaultError};
use anchor::Anchor;
use lanes::{Lanes, Taken};
use notices::Notices;
use ship::Shipper;
use uses::Uses;
pub(crate) use uses::{Use, Used};

mod act;
#[cfg(test)]
mod altered;
mod anchor;
mod canonical;
mod draft;
mod lane;
mod lanes;
mod line;
mod note;
mod notices;
mod ship;
#[cfg(test)]
mod tests;
mod uses;
mod verify;

/// What becomes of uses. Changes are recorded in every mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuditMode {
    /// Uses wait in memory for at most a second; how many were lost is recorded.
    #[default]
    Normal,
    /// Uses are not recorded.
    Off,
    /// A request waits until its use is stored.
    Strict,
}

/// How the log is kept.
#[derive(Debug, Clone)]
pub struct AuditSettings {
    /// The name of this node.
    pub node: String,
    /// The version of this program.
    pub version: String,
    /// On whose behalf servers are changed and removed.
    pub admin: Actor,
    /// What becomes of uses.
    pub mode: AuditMode,
    /// How many uses may wait.
    pub queue: usize,
    /// After how many days an entry may go.
    pub keep_days: u32,
}

/// What an [`Auditor`] is made of.
pub struct AuditParts {
    /// Rows.
    pub store: Arc<dyn Store>,
    /// The keys of the chains.
    pub vault: Arc<Vault>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// How.
    pub settings: AuditSettings,
}

/// Writes the audit log of this process.
pub struct Auditor {
    parts: AuditParts,
    lanes: Arc<Lanes>,
    uses: Uses,
    notices: Notices,
    shipper: Mutex<Shipper>,
    anchor: Mutex<Anchor>,
    /// Entries of this process but checkpoints.
    written: AtomicU64,
    stopped: watch::Sender<bool>,
}

// === impl AuditSettings ===

impl Default for AuditSettings {
    fn default() -> Self {
        Self {
            node: "local".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            admin: Actor::System,
            mode: AuditMode::Normal,
            queue: 10_000,
            keep_days: 400,
        }
    }
}

// === impl Auditor ===

impl Auditor {
    /// A log of these parts. Nothing is written before there is something to record.
    pub fn new(parts: AuditParts) -> Self {
        let (uses, shipper) = uses::queue(parts.settings.queue.max(1));
        Self {
            lanes: Arc::new(Lanes::new(parts.clock.now())),
            uses,
            notices: Notices::default(),
            shipper: Mutex::new(shipper),
            anchor: Mutex::default(),
            written: AtomicU64::new(0),
            stopped: watch::channel(false).0,
            parts,
        }
    }

    /// On whose behalf administrative acts are done here.
    pub fn admin(&self) -> Actor {
        self.parts.settings.admin.clone()
    }

    /// Rows of a tenant whose one next write stands in one transaction with this entry. Whoever
    /// wrote tells the draft what came of it.
    pub async fn change(
        &self,
        tenant: &TenantId,
        note: Note,
    ) -> Result<(Draft<'_>, Arc<dyn TenantStore>), StoreError> {
        self.change_with(tenant, vec![note]).await
    }

    /// The same with several entries, of which none is there without the others.
    pub async fn change_with(
        &self,
        tenant: &TenantId,
        notes: Vec<Note>,
    ) -> Result<(Draft<'_>, Arc<dyn TenantStore>), StoreError> {
        let notes = notes.into_iter().map(|note| note.of_tenant(tenant));
        let draft = self.draft(notes.collect()).await?;
        let rows = self.parts.store.tenant(tenant).recorded(draft.entries());
        Ok((draft, rows))
    }

    /// The same for the wrapped keys.
    pub async fn change_keys(&self, note: Note) -> Result<(Draft<'_>, Arc<dyn Keys>), StoreError> {
        let draft = self.draft(vec![note]).await?;
        let keys = self.parts.store.keys().recorded(draft.entries());
        Ok((draft, keys))
    }

    /// The same for what the database says of itself.
    pub async fn change_installation(
        &self,
        note: Note,
    ) -> Result<(Draft<'_>, Arc<dyn Installations>), StoreError> {
        let draft = self.draft(vec![note]).await?;
        let row = self.parts.store.installation().recorded(draft.entries());
        Ok((draft, row))
    }

    /// Records what changed nothing in the database, and waits until it is stored.
    pub async fn tell(&self, note: Note) -> Result<(), StoreError> {
        let draft = self.draft(vec![note]).await?;
        let audit = self.parts.store.audit();
        let written = audit.append_audit(draft.entries()).await;
        draft.settle(written)
    }

    /// Records it soon, as uses are recorded; waits for nothing.
    pub fn tell_soon(&self, note: Note) {
        self.uses.offer_note(note, self.parts.clock.now());
    }

    async fn draft(&self, notes: Vec<Note>) -> Result<Draft<'_>, StoreError> {
        let (key, mut taken) = (self.key().await?, self.lanes.take().await);
        self.open(&mut taken, &key).await?;
        let (node, now) = (&self.parts.settings.node, self.parts.clock.now());
        let entries = taken.lane.next_all(&key, node, now, &notes);
        // They arrive together, so that a doubt about the first is one about all of them.
        if let Some(first) = entries.first() {
            taken.lane.attempt(first);
        }
        Ok(Draft::new(self, taken, entries))
    }

    /// Makes a lane ready: its chain begun, and nothing about it in doubt.
    async fn open(&self, taken: &mut Taken, key: &AuditKey) -> Result<(), StoreError> {
        let audit = self.parts.store.audit();
        lanes::open(taken, &*audit, key, &self.parts, self.lanes.began).await
    }

    async fn key(&self) -> Result<AuditKey, StoreError> {
        self.parts.vault.audit_key().await.map_err(unkeyed)
    }

    fn count(&self, entries: &[AuditEntry]) {
        let told = entries
            .iter()
            .filter(|one| one.act != Act::Checkpoint.as_str());
        let told = u64::try_from(told.count()).unwrap_or(u64::MAX);
        self.written.fetch_add(told, Ordering::Relaxed);
    }
}

impl fmt::Debug for Auditor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auditor")
            .field("settings", &self.parts.settings)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AuditParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditParts")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Without its key nothing is recorded, and so nothing is changed.
fn unkeyed(error: VaultError) -> StoreError {
    match error {
        VaultError::Store { source } => source,
        other => StoreError::Failed {
            source: Box::new(other),
        },
    }
}
