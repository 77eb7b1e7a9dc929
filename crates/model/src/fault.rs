//! Whose fault an error is. Status, log level, metric label and exit code derive from it.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Who has to act for an error to go away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Whoever asked sent it wrong.
    Caller,
    /// The operator: configuration or policy.
    Operator,
    /// The remote party misbehaved, is incompatible or cannot be reached.
    Peer,
    /// A bug, a disk, a database of ours.
    Us,
}

impl Fault {
    /// The word for it, everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Operator => "operator",
            Self::Peer => "peer",
            Self::Us => "us",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
