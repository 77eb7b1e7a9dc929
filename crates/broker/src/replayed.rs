//! Old rows put back in place of new ones (A212).
//!
//! A row that somebody copied out of the database opens again when it is written back: its seal is
//! bound to its place and version, and both are as they were. Nothing in the row can tell. Whoever
//! saw the newer one can, and so can the audit log, which has every version. This is noticed and
//! said, not refused: a backup that was restored under a running server looks the same. A process
//! that never saw the newer row does not notice, nor anyone where `obtained_at` was moved as well.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use claviger_model::{Credential, CredentialKey, Server, Timestamp};

use crate::audit::{Act, Came, Note};
use crate::broker::Inner;

/// The newest version of every credential that this process has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<HashMap<CredentialKey, (u64, Timestamp)>>);

/// Beyond it everything is forgotten: some megabytes.
const MOST: usize = 100_000;

// === impl Seen ===

impl Seen {
    /// Takes note of a row; gives the version that was seen before, if that was a newer one.
    fn note(&self, row: &Credential) -> Option<u64> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seen.get(&row.key).copied();
        // A sign-in after a sign-out counts versions from the start, and is later.
        if let Some((version, at)) = before
            && row.version < version
            && row.obtained_at < at
        {
            return Some(version);
        }
        if seen.len() >= MOST {
            seen.clear();
        }
        seen.insert(row.key.clone(), (row.version, row.obtained_at));
        None
    }
}

// === impl Inner ===

impl Inner {
    /// Says so if a stored credential is older than one that was stored before.
    pub(crate) fn notice_replayed(&self, server: &Server, row: &Credential) {
        let Some(newer) = self.replayed.note(row) else {
            return;
        };
        tracing::error!(
            server = %server.slug,
            user = %row.key.user,
            version = row.version,
            newer,
            "a stored credential is older than one that was stored before: somebody put an old row \
             back"
        );
        let note = Note::credential(Act::Tamper, server, &row.key).came(Came::Failed);
        let note = note.with("of", "credential").with("why", "replayed");
        self.parts
            .audit
            .notice(note.with("version", row.version).with("newer", newer));
    }
}
