//! What a backend may answer instead of rows.

use std::error::Error;

/// Why a statement did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// An entry of the audit log with this chain and number exists; nothing was written.
    #[error("an entry with this number exists")]
    AuditConflict,
    /// The database did not answer in time; the same call may succeed later.
    #[error("the database is busy")]
    Busy,
    /// A row with this key exists.
    #[error("a row with this key exists")]
    Conflict,
    /// A row does not have the shape this binary knows.
    #[error("a stored row cannot be read ({what})")]
    Corrupt {
        /// Which column.
        what: &'static str,
    },
    /// Anything else.
    #[error("the database failed")]
    Failed {
        /// The cause.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}
