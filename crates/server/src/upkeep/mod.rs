//! What is done to a database as a whole: check it, migrate it, copy it, back it up, restore it.

pub use audit::{AuditProof, OnEntries, audit_export, audit_list, audit_verify};
pub use backup::{BackedUp, BackupHow, backup};
pub use check::{Broken, Checked, check};
pub use claviger_broker::{
    Problem as AuditProblem, ProblemKind as AuditProblemKind, Verdict as AuditVerdict,
};
pub use confirm::{Confirmed, confirm_live};
pub use contents::Contents;
pub use copy::{Copied, CopyTo, copy};
pub use error::UpkeepError;
pub use migrate::{Migrated, migrate};
pub use restore::{RestoreHow, RestoredTo, restore};

mod audit;
mod backup;
mod check;
mod confirm;
mod contents;
mod copy;
mod draft;
mod error;
mod exported;
mod migrate;
mod record;
mod restore;
mod rows;
#[cfg(feature = "postgres")]
mod shared;
mod target;
mod wrap;

/// How far a long work has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The server that was done last.
    pub server: String,
    /// How many are done.
    pub done: usize,
    /// Of how many.
    pub total: usize,
}

/// Is told after every server.
pub type OnProgress<'a> = &'a mut (dyn FnMut(&Progress) + Send);
