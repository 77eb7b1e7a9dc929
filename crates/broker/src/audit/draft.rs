//! Entries that stand in the transaction of their change.

use claviger_model::AuditEntry;
use claviger_store::{Guarded, StoreError};

use super::Auditor;
use super::lanes::{Taken, failed};

/// Entries on their way. Dropped without a word about their write, they leave a doubt that is
/// cleared before the chain goes on.
#[derive(Debug)]
#[must_use = "a draft wants to know what came of its write"]
pub struct Draft<'a> {
    auditor: &'a Auditor,
    taken: Taken,
    /// At least one, each behind the other.
    entries: Vec<AuditEntry>,
}

/// Whether a write changed anything; one that did not records nothing.
pub trait Changed {
    /// Whether it did.
    fn has_changed(&self) -> bool;
}

// === impl Draft ===

impl<'a> Draft<'a> {
    pub(super) fn new(auditor: &'a Auditor, taken: Taken, entries: Vec<AuditEntry>) -> Self {
        Self {
            auditor,
            taken,
            entries,
        }
    }

    pub(super) fn entries(&self) -> &[AuditEntry] {
        &self.entries
    }

    /// Takes note of what came of the write, and gives it back.
    pub fn settle<T: Changed>(mut self, written: Result<T, StoreError>) -> Result<T, StoreError> {
        match &written {
            Ok(done) if done.has_changed() => {
                if let Some(last) = self.entries.last() {
                    self.taken.lane.kept(last);
                }
                self.auditor.count(&self.entries);
            }
            Ok(_) => self.taken.lane.not_kept(),
            Err(error) => failed(&mut self.taken.lane, error),
        }
        written
    }
}

// === impl Changed ===

impl Changed for () {
    fn has_changed(&self) -> bool {
        true
    }
}

impl Changed for bool {
    fn has_changed(&self) -> bool {
        *self
    }
}

impl Changed for u64 {
    fn has_changed(&self) -> bool {
        *self > 0
    }
}

impl Changed for Guarded {
    fn has_changed(&self) -> bool {
        matches!(self, Self::Written(_))
    }
}
