//! Opening an installation: directory, key, database, vault.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use claviger_broker::{Vault, VaultError};
use claviger_crypto::{InvalidKeyFile, Kek, base64url_encode};
use claviger_model::Fault;
use claviger_ports::{Clock, Entropy};
use claviger_store::{Store, StoreError};
use claviger_store_sqlite::{OpenError as DatabaseError, SqliteStore};

use crate::places::{Places, PlacesError, create_secret_file, read_secret_file};

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
    /// Outbound connections cannot be set up.
    #[error("could not set up outbound connections")]
    Egress {
        /// The cause.
        #[source]
        source: claviger_egress::EgressError,
    },
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
                VaultError::WrongKey { .. } => Fault::Operator,
                _ => Fault::Us,
            },
            Self::KeyFile { .. }
            | Self::KeyFileMissing { .. }
            | Self::Places(_)
            | Self::Quirks { .. }
            | Self::TokenFile { .. } => Fault::Operator,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::KeyFile { path, .. } | Self::KeyFileMissing { path } => Some(format!(
                "put the key file of this database back at {}; a backup of the database is of no \
                 use without it",
                path.display()
            )),
            Self::Vault {
                source: VaultError::WrongKey { .. },
            } => {
                Some("this key belongs to another database; put the right key file back".to_owned())
            }
            Self::Places(source) => Some(source.hint()),
            Self::Database { path, source } => database_hint(path, source),
            Self::Quirks { .. } => Some(
                "mend the file, or leave issuers.quirks_file out to use the built-in ones"
                    .to_owned(),
            ),
            Self::Store {
                source: StoreError::Busy,
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
        DatabaseError::Busy { .. } => Some(BUSY.to_owned()),
        DatabaseError::File { .. } => Some(format!("check that you own {path} and may write it")),
        DatabaseError::Newer { .. } => {
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

const BUSY: &str = "another process holds the database; try again in a moment";

/// What is open.
pub(crate) struct Opened {
    pub(crate) places: Places,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) is_first_start: bool,
}

/// Opens the installation in `data_dir`, and makes what the first start needs.
pub(crate) async fn open(
    data_dir: &Path,
    entropy: Arc<dyn Entropy>,
    clock: Arc<dyn Clock>,
) -> Result<Opened, OpenError> {
    let places = Places::prepare(data_dir)?;
    let (kek, is_first_start) = kek(&places, &*entropy)?;
    let store = SqliteStore::open(&places.database)
        .await
        .map_err(|source| OpenError::Database {
            path: places.database.clone(),
            source,
        })?;
    let store: Arc<dyn Store> = Arc::new(store);
    let vault = Vault::open(kek, store.keys(), entropy, clock)
        .await
        .map_err(|source| OpenError::Vault { source })?;
    Ok(Opened {
        places,
        store,
        vault: Arc::new(vault),
        is_first_start,
    })
}

/// The KEK of the key file; a new one only where there is no database yet.
fn kek(places: &Places, entropy: &dyn Entropy) -> Result<(Kek, bool), OpenError> {
    let path = &places.key_file;
    let parse = |text| {
        Kek::parse(&text).map_err(|source| OpenError::KeyFile {
            path: path.clone(),
            source,
        })
    };
    if let Some(text) = read_secret_file(path)? {
        return Ok((parse(text)?, false));
    }
    // A207: a new key beside an old database would look like an empty vault.
    if fs::metadata(&places.database).is_ok_and(|database| database.len() > 0) {
        return Err(OpenError::KeyFileMissing { path: path.clone() });
    }
    let unique = base64url_encode(&entropy.id_bytes());
    let is_made = create_secret_file(path, &Kek::new(entropy.key_bytes()).to_key_file(), &unique)?;
    // Another process may have been first; then its key counts.
    let text =
        read_secret_file(path)?.ok_or_else(|| OpenError::KeyFileMissing { path: path.clone() })?;
    Ok((parse(text)?, is_made))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_database_that_does_not_open_has_a_remedy_of_one_line() {
        let path = || PathBuf::from("/data/claviger.db");
        let denied = || std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let cases = [
            (DatabaseError::Busy { path: path() }, "try again"),
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
