//! Why a database was not checked, migrated or copied.

use std::io;
use std::path::PathBuf;

use claviger_config::UrlFileError;
use claviger_model::Fault;
use claviger_store::StoreError;

use crate::open::OpenError;

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpkeepError {
    /// An export of the audit log.
    #[error("the file with the audit log cannot be read or written")]
    AuditFile {
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A line of it.
    #[error("line {line} of the file is no entry of an audit log")]
    AuditLine {
        /// Which.
        line: usize,
    },
    /// Somebody wrote while it was copied.
    #[error("the database was changed while it was copied")]
    Changed,
    /// The copy's pages do not fit together (F35).
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the database says of itself.
        what: String,
    },
    /// The copy is not what was copied.
    #[error("the copy differs: {what}")]
    Differs {
        /// What.
        what: String,
    },
    /// A file of ours, or one that was named.
    #[error("could not use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// There is a file already.
    #[error("{} is there already", path.display())]
    FileExists {
        /// Which.
        path: PathBuf,
    },
    /// Nothing of it opens with the key at hand.
    #[error("nothing in the copy opens with this key: {what}")]
    NothingOpens {
        /// What the first of it said.
        what: String,
    },
    /// Other nodes work on the database that is to be replaced.
    #[error("{place} is in use: another node asked it something a moment ago")]
    InUse {
        /// The database.
        place: String,
    },
    /// There is nothing to prove an export with.
    #[error("no key of this audit log is at hand, so its MACs cannot be checked")]
    NoAuditKey {
        /// Why the database gives none.
        #[source]
        source: Box<Self>,
    },
    /// It holds nothing.
    #[error("{} holds no installation", path.display())]
    NotABackup {
        /// Which.
        path: PathBuf,
    },
    /// The build cannot do it.
    #[error("this build of Claviger was made without the feature `{feature}`")]
    NotBuiltIn {
        /// Which.
        feature: &'static str,
    },
    /// It was wrapped for somebody else, or it is not whole.
    #[error("the age file {} was not opened", path.display())]
    NotUnwrapped {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
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
    /// Migrations are pending, and this act applies none.
    #[error("the database has schema {found}, this version works with {known}")]
    Pending {
        /// The schema of the database.
        found: i64,
        /// The schema this binary works with.
        known: i64,
    },
    /// Nobody can be meant by it.
    #[error("`{head}…` is no age recipient")]
    Recipient {
        /// The beginning of what was given; it may be the identity itself.
        head: String,
    },
    /// A server runs where a backup is to be put.
    #[error("a server runs on this data directory, or another restore does")]
    Running {
        /// Its admin socket.
        socket: PathBuf,
    },
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
    /// It is wrapped for an age identity.
    #[error("{} is wrapped for an age identity", path.display())]
    Wrapped {
        /// Which.
        path: PathBuf,
    },
}

impl UpkeepError {
    /// Who has to do something about it.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Open(source) => source.fault(),
            Self::AuditLine { .. }
            | Self::Changed
            | Self::FileExists { .. }
            | Self::InUse { .. }
            | Self::NotEmpty { .. }
            | Self::Recipient { .. }
            | Self::Running { .. }
            | Self::Serving { .. } => Fault::Caller,
            Self::AuditFile { .. }
            | Self::Damaged { .. }
            | Self::File { .. }
            | Self::NoAuditKey { .. }
            | Self::NotABackup { .. }
            | Self::NotBuiltIn { .. }
            | Self::NothingOpens { .. }
            | Self::NotUnwrapped { .. }
            | Self::Pending { .. }
            | Self::UrlFile { .. }
            | Self::Wrapped { .. } => Fault::Operator,
            Self::Differs { .. } | Self::Store { .. } => Fault::Us,
        }
    }

    /// Whether somebody else holds the database, and the same may work later (F36).
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Open(source) => source.is_busy(),
            Self::Store { source, .. } => matches!(source, StoreError::Busy),
            _ => false,
        }
    }

    /// What to do about it.
    #[expect(clippy::too_many_lines, reason = "one flat table")]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Open(source) => return source.hint(),
            Self::AuditFile { .. } => {
                "check the path, its folder and the room on the disk".to_owned()
            }
            Self::AuditLine { .. } => {
                "give a file that `claviger audit export` wrote; the rest of it was not judged"
                    .to_owned()
            }
            Self::Changed => {
                "stop every `claviger serve` on this database, empty the target, and copy again"
                    .to_owned()
            }
            Self::Damaged { .. } => {
                "take an earlier backup; of a live database, `claviger store check` says what \
                 still opens"
                    .to_owned()
            }
            Self::File { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull => "free some space, and try again".to_owned(),
                _ => "check that the directory is there, is yours and can be written".to_owned(),
            },
            Self::FileExists { .. } => {
                "name another file, or say --force; the database itself is never replaced"
                    .to_owned()
            }
            Self::InUse { .. } => {
                "stop every `claviger serve` on this database, on every machine; nothing was written"
                    .to_owned()
            }
            Self::NoAuditKey { .. } => {
                "give the key file of that installation with --key-file; without it, --order-only \
                 looks at the numbers alone"
                    .to_owned()
            }
            Self::NotABackup { .. } => "name a file that `claviger backup` wrote".to_owned(),
            Self::NothingOpens { .. } => {
                "put the key file of that installation in place; nothing was written".to_owned()
            }
            Self::Pending { .. } => {
                "nothing was changed; `claviger store migrate`, or the next `claviger serve`, brings \
                 it up to date"
                    .to_owned()
            }
            Self::Running { socket } => format!(
                "stop the `claviger serve` behind {} first; nothing was written",
                socket.display()
            ),
            Self::NotBuiltIn { .. } => {
                "use a build with it, or the program `age` on the file itself".to_owned()
            }
            Self::NotUnwrapped { .. } => {
                "name the identity file of one of its recipients; nothing was written".to_owned()
            }
            Self::Recipient { .. } => {
                "give the line that begins with age1, as `age-keygen -y IDENTITY` prints it"
                    .to_owned()
            }
            Self::Wrapped { path } => format!(
                "name its identity with --identity FILE, in a build with the feature `age`, or \
                 unwrap it first: age --decrypt -i IDENTITY -o backup.db {}",
                path.display()
            ),
            Self::Differs { .. } => {
                "do not use the copy; empty the target and copy again".to_owned()
            }
            Self::NotEmpty { .. } => {
                "name a new file or an empty database, or let `claviger restore --replace` move what \
                 is there aside; nothing in this one was changed"
                    .to_owned()
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
