//! An entry that stands in the transaction of its change.

use claviger_model::AuditEntry;
use claviger_store::{Guarded, StoreError};

use super::Auditor;
use super::lanes::{Taken, failed};

/// An entry on its way. Dropped without a word about its write, it leaves a doubt that is cleared
/// before the chain goes on.
#[derive(Debug)]
#[must_use = "a draft wants to know what came of its write"]
pub struct Draft<'a> {
    auditor: &'a Auditor,
    taken: Taken,
    entry: AuditEntry,
}

/// Whether a write changed anything; one that did not records nothing.
pub trait Changed {
    /// Whether it did.
    fn has_changed(&self) -> bool;
}

// === impl Draft ===

impl<'a> Draft<'a> {
    pub(super) fn new(auditor: &'a Auditor, taken: Taken, entry: AuditEntry) -> Self {
        Self {
            auditor,
            taken,
            entry,
        }
    }

    pub(super) fn entry(&self) -> &AuditEntry {
        &self.entry
    }

    /// Takes note of what came of the write, and gives it back.
    pub fn settle<T: Changed>(mut self, written: Result<T, StoreError>) -> Result<T, StoreError> {
        match &written {
            Ok(done) if done.has_changed() => {
                self.taken.lane.kept(&self.entry);
                self.auditor.count(core::slice::from_ref(&self.entry));
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
