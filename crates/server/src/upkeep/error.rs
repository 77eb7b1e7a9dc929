//! Why a database was not checked, migrated or copied.

use std::path::PathBuf;

use claviger_config::UrlFileError;
use claviger_model::Fault;
use claviger_store::StoreError;

use crate::open::OpenError;

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpkeepError {
    /// Somebody wrote while it was copied.
    #[error("the database was changed while it was copied")]
    Changed,
    /// The copy is not what was copied.
    #[error("the copy differs: {what}")]
    Differs {
        /// What.
        what: String,
    },
    /// The target holds something.
    #[error("{place} is not empty")]
    NotEmpty {
        /// The target.
        place: String,
    },
    /// The installation or the target.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A server uses the database.
    #[error("a server runs on this data directory")]
    Serving {
        /// Its admin socket.
        socket: PathBuf,
    },
    /// A database does not answer.
    #[error("could not read or write the {place}")]
    Store {
        /// Which.
        place: &'static str,
        /// The cause.
        #[source]
        source: StoreError,
    },
    /// The file with the target's URL.
    #[error("the URL of the target cannot be used")]
    UrlFile {
        /// The cause.
        #[source]
        source: UrlFileError,
    },
}

impl UpkeepError {
    /// Who has to do something about it.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Open(source) => source.fault(),
            Self::Changed | Self::NotEmpty { .. } | Self::Serving { .. } => Fault::Caller,
            Self::UrlFile { .. } => Fault::Operator,
            Self::Differs { .. } | Self::Store { .. } => Fault::Us,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Open(source) => return source.hint(),
            Self::Changed => {
                "stop every `claviger serve` on this database, empty the target, and copy again"
                    .to_owned()
            }
            Self::Differs { .. } => {
                "do not use the copy; empty the target and copy again".to_owned()
            }
            Self::NotEmpty { .. } => {
                "name a new file or an empty database; nothing in this one was changed".to_owned()
            }
            Self::Serving { socket } => format!(
                "stop the `claviger serve` behind {}: what it stores meanwhile would be missing \
                 in the copy",
                socket.display()
            ),
            Self::UrlFile { source } => source.accepted.clone(),
            Self::Store { .. } => {
                "nothing in the database that is copied or checked was changed; try again"
                    .to_owned()
            }
        })
    }
}
