//! What known issuers do that their RFCs do not say, as data.

pub use entry::{AudienceMode, Quirk, RefreshScope, ResourceMode};

use entry::Entry;

use claviger_wire::parse_web_url;
use serde::Deserialize;

mod entry;
#[cfg(test)]
mod tests;

/// All entries, an operator's before ours.
#[derive(Debug, Clone, Default)]
pub struct Quirks {
    entries: Vec<Entry>,
}

/// Why a quirk file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the quirk file cannot be used: {message}")]
pub struct InvalidQuirks {
    /// Line and reason.
    pub message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    issuer: Vec<Entry>,
}

// === impl Quirks ===

impl Quirks {
    /// No entry: the spec and nothing else.
    pub fn none() -> Self {
        Self::default()
    }

    /// The entries that come with the program.
    ///
    /// # Panics
    /// Never: the file is compiled in, and a test reads it.
    #[expect(
        clippy::expect_used,
        reason = "the file is part of the program; a test reads it"
    )]
    pub fn built_in() -> Self {
        Self::none()
            .with_overrides(include_str!("../../quirks.toml"))
            .expect("the built-in quirk file reads")
    }

    /// N12: the same with an operator's entries before them. Unknown keys are refused.
    pub fn with_overrides(mut self, toml: &str) -> Result<Self, InvalidQuirks> {
        let file: File = toml::from_str(toml).map_err(|error| InvalidQuirks {
            message: error.to_string(),
        })?;
        for entry in &file.issuer {
            entry.check().map_err(|message| InvalidQuirks { message })?;
        }
        let mut entries = file.issuer;
        entries.append(&mut self.entries);
        self.entries = entries;
        Ok(self)
    }

    /// What holds for this issuer, or for the server at this URL.
    pub fn of(&self, url: &str) -> Quirk {
        let mut quirk = Quirk::default();
        let Ok(url) = parse_web_url(url) else {
            return quirk;
        };
        // From the last to the first, so that an operator's fields are written last.
        for entry in self
            .entries
            .iter()
            .rev()
            .filter(|entry| entry.matches(&url))
        {
            entry.apply(&mut quirk);
        }
        quirk
    }
}

impl InvalidQuirks {
    /// Who has to act.
    pub const fn fault(&self) -> claviger_model::Fault {
        claviger_model::Fault::Operator
    }
}
