//! Why a key source gives no key, and what to do about it.

use std::path::PathBuf;

use claviger_crypto::InvalidKeyFile;
use claviger_model::Fault;

/// Why a key source gives no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KekError {
    /// The age file was not opened.
    #[error("the age file {} was not opened", path.display())]
    Age {
        /// Where it is.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The keyring holds something else.
    #[error("the entry `{entry}` of the keyring holds no key")]
    Entry {
        /// Which.
        entry: String,
        /// The cause.
        #[source]
        source: InvalidKeyFile,
    },
    /// There is no keyring, or it is locked.
    #[error("the keyring of the operating system does not answer")]
    Keyring {
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is a database, but its key is not in the keyring (A207).
    #[error("the keyring has no entry `{entry}`, and the database cannot be opened without it")]
    NoEntry {
        /// Which.
        entry: String,
    },
    /// The build cannot do it.
    #[error("this build of Claviger was made without the feature `{feature}`")]
    NotBuiltIn {
        /// Which.
        feature: &'static str,
    },
    /// The variable is not set.
    #[error("the variable CLAVIGER_KEY is not set")]
    NoVariable,
    /// The variable holds something else.
    #[error("the variable CLAVIGER_KEY holds no key")]
    Variable {
        /// The cause.
        #[source]
        source: InvalidKeyFile,
    },
}

impl KekError {
    /// Who has to do something about it.
    pub const fn fault(&self) -> Fault {
        Fault::Operator
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Age { .. } => {
                "check keys.file, and the identity or passphrase file that opens it".to_owned()
            }
            Self::Entry { entry, .. } | Self::NoEntry { entry } => format!(
                "put the line of this database's key file into the entry `{entry}` of the service \
                 `claviger`, or name another with keys.keyring_entry"
            ),
            Self::Keyring { .. } => {
                "unlock the keyring, or use keys.source = \"file\": a machine without a desktop \
                 often has none"
                    .to_owned()
            }
            Self::NotBuiltIn { .. } => {
                "use a build with it, or keys.source = \"file\" and a key file".to_owned()
            }
            Self::NoVariable | Self::Variable { .. } => {
                "set it to the line of a key file; `claviger keys new FILE` makes one".to_owned()
            }
        }
    }
}
