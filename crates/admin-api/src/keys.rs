//! What is told about keys: ids and counts, never a key.

use serde::{Deserialize, Serialize};

/// A key and what hangs on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyView {
    /// The tenant; absent for the installation's own keys.
    pub tenant: Option<String>,
    /// `tenant`, `mac`, `journal`, `audit` or `sentinel`.
    pub purpose: String,
    /// Counts from 1.
    pub generation: u32,
    /// The key file that wraps it, by its id.
    pub kek_id: String,
    /// Whether that is the first configured key file, which wraps what is new.
    pub is_first_kek: bool,
    /// Whether what is written now is sealed with it.
    pub is_newest: bool,
    /// How many rows are sealed with it, for tenant keys.
    pub rows: Option<u64>,
    /// When it was made, RFC 3339.
    pub created_at: String,
}

/// How far a rotation or a check has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyProgress {
    /// Whose rows.
    pub tenant: String,
    /// How many are done.
    pub done: u64,
    /// How many there are, where that is known.
    pub total: Option<u64>,
    /// How many were done in a second.
    pub per_second: u64,
}

/// One thing that was done, would be done, or cannot be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyStep {
    /// `renewed`, `rewrapped`, `dropped` or `broken`.
    pub step: String,
    /// To what: a key, or a row in words. Never a secret.
    pub what: String,
    /// Why not, for `broken`.
    pub why: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySummary {
    /// Nothing was done; this is what would be.
    pub dry_run: bool,
    /// Generations made.
    pub renewed: u64,
    /// Rows sealed anew.
    pub resealed: u64,
    /// Keys wrapped anew.
    pub rewrapped: u64,
    /// Generations deleted.
    pub dropped: u64,
    /// Rows that were opened and are well.
    pub opened: u64,
    /// What does not open, and was left as it is.
    pub broken: u64,
}
