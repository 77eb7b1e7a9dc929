//! One chain, written by this process alone.

use claviger_crypto::hex;
use claviger_model::{AuditEntry, Timestamp};

use super::Note;
use super::canonical::mac;
use crate::AuditKey;

/// A chain and its head. The head is in memory, so that recording reads nothing.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) chain: String,
    /// The number of the last entry that is surely stored; 0 before the first.
    pub(super) seq: u64,
    head: Vec<u8>,
    pub(super) doubt: Doubt,
}

/// What is not known of a lane.
#[derive(Debug, PartialEq)]
pub(super) enum Doubt {
    /// Nothing is.
    None,
    /// An entry with the next number was handed to the database, and nobody said what came of it.
    /// It may still be on its way there.
    Unheard(Box<AuditEntry>),
    /// The database refused it because something was there already.
    Taken,
}

// === impl Lane ===

impl Lane {
    pub(super) fn new(id: [u8; 16]) -> Self {
        Self {
            chain: hex(&id),
            seq: 0,
            head: Vec::new(),
            doubt: Doubt::None,
        }
    }

    /// The next entry.
    pub(super) fn next(
        &self,
        key: &AuditKey,
        node: &str,
        at: Timestamp,
        note: &Note,
    ) -> AuditEntry {
        self.behind(&self.head, self.seq, key, (node, at), note)
    }

    /// Several in a row.
    pub(super) fn next_all(
        &self,
        key: &AuditKey,
        node: &str,
        at: Timestamp,
        notes: &[Note],
    ) -> Vec<AuditEntry> {
        let mut entries: Vec<AuditEntry> = Vec::with_capacity(notes.len());
        for note in notes {
            let entry = match entries.last() {
                Some(last) => self.behind(&last.mac, last.seq, key, (node, at), note),
                None => self.next(key, node, at, note),
            };
            entries.push(entry);
        }
        entries
    }

    fn behind(
        &self,
        head: &[u8],
        seq: u64,
        key: &AuditKey,
        (node, at): (&str, Timestamp),
        note: &Note,
    ) -> AuditEntry {
        let mut entry = AuditEntry {
            chain: self.chain.clone(),
            seq: seq + 1,
            node: node.to_owned(),
            at,
            ..note.entry(key.generation)
        };
        entry.mac = mac(&key.key, head, &entry).to_vec();
        entry
    }

    /// It is handed to the database now; whoever forgets to say what came of it leaves a doubt.
    pub(super) fn attempt(&mut self, entry: &AuditEntry) {
        self.doubt = Doubt::Unheard(Box::new(entry.clone()));
    }

    /// It is stored.
    pub(super) fn kept(&mut self, entry: &AuditEntry) {
        self.seq = entry.seq;
        self.head.clone_from(&entry.mac);
        self.doubt = Doubt::None;
    }

    /// It is surely not stored, and its number is free.
    pub(super) fn not_kept(&mut self) {
        self.doubt = Doubt::None;
    }

    /// Something was there already; the next look says what.
    pub(super) fn conflicted(&mut self) {
        self.doubt = Doubt::Taken;
    }

    /// Whether `entry` is a true next one.
    pub(super) fn is_next(&self, key: &AuditKey, entry: &AuditEntry) -> bool {
        let is_in_place = entry.chain == self.chain && entry.seq == self.seq + 1;
        is_in_place && mac(&key.key, &self.head, entry).as_slice() == entry.mac.as_slice()
    }
}

impl Lane {
    /// A lane that has no chain yet.
    pub(super) fn unnamed() -> Self {
        Self {
            chain: String::new(),
            seq: 0,
            head: Vec::new(),
            doubt: Doubt::None,
        }
    }

    /// Whether this is the last entry that is surely stored.
    pub(super) fn is_head(&self, entry: &AuditEntry) -> bool {
        entry.mac == self.head
    }

    /// Whether anything of it may be stored.
    pub(super) fn is_begun(&self) -> bool {
        self.seq > 0 || self.doubt != Doubt::None
    }

    pub(super) fn is_unnamed(&self) -> bool {
        self.chain.is_empty()
    }
}
