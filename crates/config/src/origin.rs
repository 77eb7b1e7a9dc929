//! Where a value came from.

use core::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
    /// A line of the config file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The command line.
    Flag {
        /// The flag, with its dashes.
        flag: String,
    },
}

/// One setting as it stands, with its origin.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// `section.key`, or `data_dir`.
    pub key: String,
    /// The value in force; absent is "not set".
    pub value: Option<toml::Value>,
    /// Where it came from.
    pub origin: Origin,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Environment { variable } => f.write_str(variable),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Flag { flag } => f.write_str(flag),
        }
    }
}
