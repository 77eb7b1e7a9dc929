//! What can go wrong, in the words of the traits.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use claviger_model::Fault;
use claviger_store::StoreError;
use sqlx::error::{DatabaseError, ErrorKind};

/// Why a database was not opened. Nothing was written then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process is writing for too long.
    #[error("the database {path} is busy; another process is writing to it")]
    Busy {
        /// The file.
        path: PathBuf,
        /// Who, if the system tells.
        holder: Option<String>,
    },
    /// Its pages do not fit together (F35).
    #[error("the database {path} is damaged")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: sqlx::Error,
    },
    /// SQLite failed.
    #[error("could not open the database {path}")]
    Database {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: sqlx::Error,
    },
    /// The file cannot be looked at or made.
    #[error("could not reach the database file {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A later version of Claviger wrote rows into it that this one would misread (F34).
    #[error("the database holds what only Claviger {version} and later can read; update Claviger")]
    Later {
        /// The first version that can.
        version: String,
    },
    /// A later version of Claviger wrote it.
    #[error("the database has schema {found}, this version knows up to {known}; update Claviger")]
    Newer {
        /// The schema of the file.
        found: i64,
        /// The last schema this binary knows.
        known: i64,
    },
    /// It is a directory, a device or another link than a file.
    #[error("{path} is not a plain file; name the database file itself, not a link to it")]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Another program's database.
    #[error("{path} is a database of another program; name another file")]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// Others may read it.
    #[error("{path} has mode {mode:04o}, so others can read it; run `chmod 600` on it")]
    WideMode {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

impl OpenError {
    /// Who has to do something about it.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Busy { .. } | Self::Database { .. } => Fault::Us,
            Self::Damaged { .. }
            | Self::File { .. }
            | Self::Later { .. }
            | Self::Newer { .. }
            | Self::NotAFile { .. }
            | Self::NotOurs { .. }
            | Self::WideMode { .. } => Fault::Operator,
        }
    }
}

/// Why what several units of work wrote together is not stored.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum SharedError {
    /// It may be there all the same.
    #[error("the transaction could not be committed")]
    Commit {
        /// The cause.
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// The database undid it, because one of them failed in a way that ends all.
    #[error("the database took the transaction back")]
    TakenBack,
}

/// A row of another tenant was given to a handle.
#[derive(Debug, thiserror::Error)]
#[error("the row belongs to another tenant")]
pub(crate) struct OtherTenant;

/// What a statement answered, as the traits say it.
pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    if is_busy(&error) {
        return StoreError::Busy;
    }
    match error.as_database_error().map(DatabaseError::kind) {
        Some(ErrorKind::UniqueViolation) => StoreError::Conflict,
        _ => StoreError::Failed {
            source: error.into(),
        },
    }
}

/// Whether there is a row with this key.
pub(crate) fn is_taken(error: &sqlx::Error) -> bool {
    let kind = error.as_database_error().map(DatabaseError::kind);
    kind == Some(ErrorKind::UniqueViolation)
}

/// Whether other rows hang on this one.
pub(crate) fn is_in_use(error: &sqlx::Error) -> bool {
    let kind = error.as_database_error().map(DatabaseError::kind);
    kind == Some(ErrorKind::ForeignKeyViolation)
}

/// Whether the same call may succeed later.
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    if matches!(error, sqlx::Error::PoolTimedOut) {
        return true;
    }
    let code = error.as_database_error().and_then(DatabaseError::code);
    let code = code.and_then(|code| code.parse::<i32>().ok());
    // The low byte of an extended code is SQLITE_BUSY (5) or SQLITE_LOCKED (6).
    matches!(code.map(|code| code & 0xff), Some(5 | 6))
}
