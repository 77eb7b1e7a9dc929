//! What is wrong with a configuration, all of it at once.

use core::fmt;
use std::error::Error;

use claviger_model::Fault;
use serde::Serialize;

use crate::Origin;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where: a line of a file, a variable, a flag.
    pub origin: Origin,
    /// `section.key`, as far as it is known.
    pub key: Option<String>,
    /// What was found there.
    pub found: String,
    /// What is accepted instead, or what to do.
    pub accepted: String,
}

/// A configuration that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Everything that is wrong, in the order of the sections.
    pub problems: Vec<Problem>,
}

// === impl Problem ===

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.origin != Origin::Default {
            write!(f, "{}: ", self.origin)?;
        }
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        write!(f, "{}; {}", self.found, self.accepted)
    }
}

// === impl ConfigError ===

impl ConfigError {
    /// Whose fault it is.
    pub const fn fault(&self) -> Fault {
        Fault::Operator
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [only] => write!(f, "the configuration is refused: {only}"),
            several => {
                write!(
                    f,
                    "the configuration is refused ({} problems)",
                    several.len()
                )?;
                several
                    .iter()
                    .try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

impl Error for ConfigError {}
