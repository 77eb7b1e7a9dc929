//! What can go wrong, in the words of the traits.

use std::io;

use claviger_model::Fault;
use claviger_store::StoreError;
use sqlx::error::{DatabaseError, ErrorKind};

/// Why a database was not opened. Nothing was written then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Too many connections, or another node migrates for too long.
    #[error("the database is busy or does not answer; see that it runs, then try again")]
    Busy {
        /// The cause.
        #[source]
        source: sqlx::Error,
    },
    /// A migration that was applied is not the one this binary holds.
    #[error("migration {version} was changed after it was applied; use the released binary")]
    Changed {
        /// Its number.
        version: i64,
    },
    /// PostgreSQL failed.
    #[error("could not open the database")]
    Database {
        /// The cause.
        #[source]
        source: sqlx::Error,
    },
    /// The role may not do what is needed.
    #[error("the role {role} may not use or make the schema `claviger`; migrate as its owner")]
    Denied {
        /// The role, or the URL's name for it.
        role: &'static str,
        /// The cause.
        #[source]
        source: sqlx::Error,
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
        /// The schema of the database.
        found: i64,
        /// The last schema this binary knows.
        known: i64,
    },
    /// Another program's schema.
    #[error("the schema `claviger` holds tables of another program; name another database")]
    NotOurs,
    /// An earlier version of Claviger wrote it, and it is not to be migrated here.
    #[error("the database has schema {found}, this version works with {known}")]
    Older {
        /// The schema of the database.
        found: i64,
        /// The schema this binary works with.
        known: i64,
    },
    /// The server is too old.
    #[error("the server is PostgreSQL {found}; at least {oldest} is needed")]
    OldServer {
        /// Its version.
        found: i32,
        /// The first one that will do.
        oldest: i32,
    },
    /// Somebody else puts a database in its place.
    #[error("another restore is at work on this database")]
    Replacing,
    /// Row-level security does not hold for the role.
    #[error(
        "the role {role} passes row-level security by; use a role without SUPERUSER and BYPASSRLS"
    )]
    Unfenced {
        /// The role.
        role: String,
    },
    /// The server is not the one it should be, or it speaks no TLS.
    #[error("the database does not prove over TLS to be the one in its URL")]
    Untrusted {
        /// The cause.
        #[source]
        source: sqlx::Error,
    },
    /// The URL cannot be read. It holds a password and is not shown.
    #[error("the URL of the database cannot be read; write postgres://user@host/database")]
    Url,
}

impl OpenError {
    /// Who has to do something about it.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Busy { .. } | Self::Database { .. } => Fault::Us,
            Self::Replacing => Fault::Caller,
            Self::Changed { .. }
            | Self::Denied { .. }
            | Self::Later { .. }
            | Self::Newer { .. }
            | Self::NotOurs
            | Self::Older { .. }
            | Self::OldServer { .. }
            | Self::Unfenced { .. }
            | Self::Untrusted { .. }
            | Self::Url => Fault::Operator,
        }
    }

    /// What a statement answered while opening as one of the two roles.
    pub(crate) fn of(role: &'static str) -> impl Fn(sqlx::Error) -> Self + Copy {
        move |source| match &source {
            sqlx::Error::Configuration(_) => Self::Url,
            error if is_untrusted(error) => Self::Untrusted { source },
            _ if code(&source).as_deref() == Some("42501") => Self::Denied { role, source },
            _ if is_busy(&source) => Self::Busy { source },
            _ => Self::Database { source },
        }
    }
}

/// A row of another tenant was given to a handle.
#[derive(Debug, thiserror::Error)]
#[error("the row belongs to another tenant")]
pub(crate) struct OtherTenant;

/// Why a unit of work did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Two units stood in each other's way, and this one was undone.
    Again,
    /// As the traits say it.
    Told(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Told(error)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        // serialization_failure, deadlock_detected.
        if matches!(code(&error).as_deref(), Some("40001" | "40P01")) {
            return Self::Again;
        }
        if is_busy(&error) {
            return Self::Told(StoreError::Busy);
        }
        let database = error.as_database_error();
        if database.map(DatabaseError::kind) == Some(ErrorKind::UniqueViolation) {
            // Another unit made its registration the current one in between: ours is the later one.
            let overtaken = database.and_then(DatabaseError::constraint) == Some(CURRENT);
            return if overtaken {
                Self::Again
            } else {
                Self::Told(StoreError::Conflict)
            };
        }
        Self::Told(StoreError::Failed {
            source: error.into(),
        })
    }
}

/// What a unit of work answered that nobody tries again, as the traits say it.
pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    match Failure::from(error) {
        Failure::Again => StoreError::Busy,
        Failure::Told(error) => error,
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

/// Whether a text does not read as what it should be.
pub(crate) fn is_unreadable(error: &sqlx::Error) -> bool {
    code(error).as_deref() == Some("22P02")
}

/// Whether the same call may succeed later.
fn is_busy(error: &sqlx::Error) -> bool {
    if matches!(error, sqlx::Error::PoolTimedOut) || is_lost(error) {
        return true;
    }
    let code = code(error);
    // lock_not_available, query_canceled (the statement timeout), too_many_connections, and
    // read_only_sql_transaction: this server was demoted, and another is the primary now.
    matches!(code.as_deref(), Some("55P03" | "57014" | "53300" | "25006"))
}

/// Whether the connection is gone, and with it whatever was not committed.
pub(crate) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => !is_untrusted(error),
        // The server stops, crashed or starts; it closed an idle transaction; connection_exception.
        other => code(other).is_some_and(|code| {
            matches!(&*code, "57P01" | "57P02" | "57P03" | "25P03") || code.starts_with("08")
        }),
    }
}

/// Whether TLS was not spoken, or not with whom it should be: no second try will help.
fn is_untrusted(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Tls(_) => true,
        // What rustls says of a certificate comes as this.
        sqlx::Error::Io(error) => error.kind() == io::ErrorKind::InvalidData,
        _ => false,
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.map(String::from)
}

/// The index that lets one registration be current.
const CURRENT: &str = "registrations_current";
