//! The installation: one database and whoever works on it.

use crate::Timestamp;

/// What a database says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// Random, made with the database; a restored copy keeps it.
    pub id: String,
    /// Counts the restores. Credentials stored under an earlier one are checked before use (F31).
    pub restore_epoch: u64,
    /// When it was last restored.
    pub restored_at: Option<Timestamp>,
    /// A restored copy that nobody called the live one yet: it sends no refresh token (F33).
    pub is_held: bool,
    /// When it was made.
    pub created_at: Timestamp,
}
