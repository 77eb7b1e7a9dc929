//! `[issuers]`: what is known about issuers.

use std::path::{Path, PathBuf};

use crate::keys::Keys;

/// What is known about issuers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IssuersSettings {
    /// A quirk file of the operator's own, on top of the built-in one. A relative path begins at
    /// the config file's directory.
    ///
    /// `CLAVIGER_ISSUERS_QUIRKS_FILE`, not set.
    pub quirks_file: Option<PathBuf>,
}

impl IssuersSettings {
    pub(crate) fn read(keys: &mut Keys<'_, '_>, config_file: Option<&Path>) -> Self {
        let base = config_file.and_then(Path::parent).map(Path::to_owned);
        let quirks_file: Option<PathBuf> = keys.read(
            "quirks_file",
            None,
            "accepted is the path of a file that can be read",
            |path: &Option<PathBuf>| match path {
                Some(path) if !resolved(base.as_deref(), path).is_file() => {
                    Err("no such file; accepted is the path of a file that can be read")
                }
                _ => Ok(()),
            },
        );
        Self {
            quirks_file: quirks_file.map(|path| resolved(base.as_deref(), &path)),
        }
    }
}

fn resolved(base: Option<&Path>, path: &Path) -> PathBuf {
    base.map_or_else(|| path.to_owned(), |base| base.join(path))
}
