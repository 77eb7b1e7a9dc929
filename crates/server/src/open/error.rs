//! Why an installation does not open, and what to do about it.

use std::path::{Path, PathBuf};

use claviger_broker::VaultError;
use claviger_crypto::InvalidKeyFile;
use claviger_model::Fault;
use claviger_store::StoreError;
use claviger_store_sqlite::OpenError as DatabaseError;

use super::KekError;
use crate::places::PlacesError;

/// Why an installation does not open. Nothing was written unless it says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The database.
    #[error("could not open the database {}", path.display())]
    Database {
        /// Where it is.
        path: PathBuf,
        /// The cause.
        #[source]
        source: DatabaseError,
    },
    /// The database's pages do not fit together (F35).
    #[error("the database {} is damaged: {what}", path.display())]
    Damaged {
        /// Where it is.
        path: PathBuf,
        /// What the database says of itself.
        what: String,
    },
    /// This data directory belonged to another database (F33).
    #[error("this data directory belongs to the installation {here}, the database to {found}")]
    OtherInstallation {
        /// What the data directory remembers.
        here: String,
        /// What the database says.
        found: String,
    },
    /// The database is from before a restore that was made here.
    #[error("the database is older than the last restore on this data directory")]
    RolledBack,
    /// Outbound connections cannot be set up.
    #[error("could not set up outbound connections")]
    Egress {
        /// The cause.
        #[source]
        source: claviger_egress::EgressError,
    },
    /// A key source other than a key file.
    #[error(transparent)]
    Kek(#[from] KekError),
    /// The key file holds something else.
    #[error("{} holds no key", path.display())]
    KeyFile {
        /// Where it is.
        path: PathBuf,
        /// The cause.
        #[source]
        source: InvalidKeyFile,
    },
    /// There is a database, but its key file is gone (A207).
    #[error("the key file {} is missing, and the database cannot be opened without it", path.display())]
    KeyFileMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// A file or directory of ours.
    #[error(transparent)]
    Places(#[from] PlacesError),
    /// The token file holds something else.
    #[error("{} holds no API token", path.display())]
    TokenFile {
        /// Where it is.
        path: PathBuf,
    },
    /// The quirk file.
    #[error("the quirk file {} cannot be used", path.display())]
    Quirks {
        /// Where it is.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database does not answer.
    #[error("could not read the database")]
    Store {
        /// The cause.
        #[source]
        source: StoreError,
    },
    /// There is no installation yet, and this command makes none.
    #[error("there is nothing yet in {}", place)]
    NothingYet {
        /// The database.
        place: String,
    },
    /// A PostgreSQL URL was given to a build without it.
    #[cfg(not(feature = "postgres"))]
    #[error("this build of Claviger knows no PostgreSQL")]
    NoPostgres,
    /// PostgreSQL.
    #[cfg(feature = "postgres")]
    #[error("could not open {place}")]
    Postgres {
        /// The database, without user and password.
        place: String,
        /// The cause.
        #[source]
        source: claviger_store_postgres::OpenError,
    },
    /// The vault.
    #[error("could not open the vault")]
    Vault {
        /// The cause.
        #[source]
        source: VaultError,
    },
}

impl OpenError {
    /// Who has to do something about it.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Database { source, .. } => source.fault(),
            Self::Egress { .. } | Self::Store { .. } => Fault::Us,
            Self::Vault { source } => match source {
                VaultError::WrongKey { .. } | VaultError::Unavailable { .. } => Fault::Operator,
                _ => Fault::Us,
            },
            #[cfg(feature = "postgres")]
            Self::Postgres { source, .. } => source.fault(),
            #[cfg(not(feature = "postgres"))]
            Self::NoPostgres => Fault::Operator,
            Self::Kek(source) => source.fault(),
            Self::Damaged { .. }
            | Self::OtherInstallation { .. }
            | Self::RolledBack
            | Self::KeyFile { .. }
            | Self::KeyFileMissing { .. }
            | Self::NothingYet { .. }
            | Self::Places(_)
            | Self::Quirks { .. }
            | Self::TokenFile { .. } => Fault::Operator,
        }
    }

    /// Whether somebody else holds the database, and the same may work later (F36).
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Database { source, .. } => matches!(source, DatabaseError::Busy { .. }),
            Self::Store { source }
            | Self::Vault {
                source: VaultError::Store { source },
            } => matches!(source, StoreError::Busy),
            #[cfg(feature = "postgres")]
            Self::Postgres { source, .. } => {
                matches!(source, claviger_store_postgres::OpenError::Busy { .. })
            }
            _ => false,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::KeyFile { path, .. } | Self::KeyFileMissing { path } => Some(format!(
                "put the key file of this database at {} (all nodes on one database have the same); \
                 the database is of no use without it",
                path.display()
            )),
            Self::Vault {
                source: VaultError::WrongKey { .. },
            } => Some(
                "put the key file with the id that is named back: as keys.file, or in \
                 keys.old_files while keys are still wrapped by it; all nodes on one database need \
                 the same ones"
                    .to_owned(),
            ),
            Self::Kek(source) => Some(source.hint()),
            Self::Damaged { .. } => Some(DAMAGED.to_owned()),
            Self::OtherInstallation { .. } | Self::RolledBack => Some(
                "if this database is the live one, `claviger restore --confirm-live` says so; two \
                 that refresh the same credentials end each other's"
                    .to_owned(),
            ),
            Self::Places(source) => Some(source.hint()),
            Self::Database { path, source } => database_hint(path, source),
            Self::NothingYet { .. } => {
                Some("`claviger serve` or `claviger server add` makes what is needed".to_owned())
            }
            #[cfg(feature = "postgres")]
            Self::Postgres { source, .. } => postgres_hint(source),
            #[cfg(not(feature = "postgres"))]
            Self::NoPostgres => Some(
                "use a build with the feature `postgres`, or leave the URL in [store] out"
                    .to_owned(),
            ),
            Self::Quirks { .. } => Some(
                "mend the file, or leave issuers.quirks_file out to use the built-in ones"
                    .to_owned(),
            ),
            Self::Store {
                source: StoreError::Busy,
            }
            | Self::Vault {
                source:
                    VaultError::Store {
                        source: StoreError::Busy,
                    },
            } => Some(BUSY.to_owned()),
            Self::TokenFile { path } => Some(format!(
                "delete {}; the next start makes a new token",
                path.display()
            )),
            _ => None,
        }
    }
}

/// What to do about a database that does not open. `None` where only its cause can tell.
fn database_hint(path: &Path, error: &DatabaseError) -> Option<String> {
    let path = path.display();
    match error {
        DatabaseError::Busy { holder, .. } => Some(match holder {
            Some(holder) => format!("{holder} holds it; end that, or try again in a moment"),
            None => BUSY.to_owned(),
        }),
        DatabaseError::Damaged { .. } => Some(DAMAGED.to_owned()),
        DatabaseError::File { .. } => Some(format!("check that you own {path} and may write it")),
        DatabaseError::Later { .. } | DatabaseError::Newer { .. } => {
            Some("start the newer claviger that wrote it, or use another --data-dir".to_owned())
        }
        DatabaseError::NotAFile { .. } => Some(format!(
            "put the database file itself at {path}, not a link"
        )),
        DatabaseError::NotOurs { .. } => {
            Some("use another --data-dir; nothing in this one was changed".to_owned())
        }
        DatabaseError::WideMode { .. } => Some(format!("chmod 600 {path}")),
        DatabaseError::Database { .. } => Some(format!(
            "the cause above says whether the disk is full or {path} is damaged; if it is, put a \
             backup of it back, with its key file"
        )),
        _ => None,
    }
}

/// What to do about PostgreSQL, where the message does not say it already.
#[cfg(feature = "postgres")]
fn postgres_hint(error: &claviger_store_postgres::OpenError) -> Option<String> {
    use claviger_store_postgres::OpenError as PostgresError;
    let hint = match error {
        PostgresError::Busy { .. } => {
            "see that PostgreSQL runs and takes connections from this machine"
        }
        PostgresError::Changed { .. }
        | PostgresError::Later { .. }
        | PostgresError::Newer { .. } => {
            "run the version of claviger on every node that wrote this database last"
        }
        PostgresError::Database { .. } => {
            "the cause above says what PostgreSQL did not like: a password, a name, a disk"
        }
        PostgresError::Denied { .. } => {
            "name the owner's URL with store.owner_url_file; `claviger store migrate` needs it once, and \
             every `restore --replace` does"
        }
        PostgresError::Older { .. } => "run `claviger store migrate` first",
        PostgresError::Replacing => "wait for its end; nothing was written",
        PostgresError::Untrusted { .. } => {
            "name the host as its certificate does, and the file of its authority as sslrootcert; \
             nothing was sent but the wish to speak TLS"
        }
        PostgresError::Unfenced { .. } => {
            "make a role of its own: CREATE ROLE claviger LOGIN; give its URL in store.url_file"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

const DAMAGED: &str = "put a backup back with `claviger restore --replace FILE`; `claviger store \
     check` says what still opens";

const BUSY: &str = "another process holds the database; try again in a moment";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_database_that_does_not_open_has_a_remedy_of_one_line() {
        let path = || PathBuf::from("/data/claviger.db");
        let denied = || std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let cases = [
            (
                DatabaseError::Busy {
                    path: path(),
                    holder: None,
                },
                "try again",
            ),
            (
                DatabaseError::Busy {
                    path: path(),
                    holder: Some("process 7 (cp)".to_owned()),
                },
                "process 7 (cp) holds it",
            ),
            (
                DatabaseError::Newer { found: 9, known: 1 },
                "newer claviger",
            ),
            (DatabaseError::NotAFile { path: path() }, "not a link"),
            (DatabaseError::NotOurs { path: path() }, "--data-dir"),
            (
                DatabaseError::WideMode {
                    path: path(),
                    mode: 0o644,
                },
                "chmod 600 /data/claviger.db",
            ),
            (
                DatabaseError::File {
                    path: path(),
                    source: denied(),
                },
                "check that you own",
            ),
        ];
        for (source, remedy) in cases {
            let error = OpenError::Database {
                path: path(),
                source,
            };
            let hint = error.hint().unwrap();
            assert!(hint.contains(remedy) && !hint.contains('\n'), "{hint}");
        }
        let denied = PlacesError::Io {
            path: path(),
            source: denied(),
        };
        assert!(OpenError::from(denied).hint().unwrap().contains("chown"));
    }
}
