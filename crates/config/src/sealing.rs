//! `[keys]`: where the key-encryption key comes from, and how old other keys may get.

use std::path::{Path, PathBuf};

use claviger_crypto::Secret;
use toml::Value;

use crate::keys::Keys;
use crate::raw::{Raw, Setting};

/// The key that wraps all others. It is never in the config file, and never on a command line.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct KeySettings {
    /// The file, mode 0600, with the identity that opens the age file. A relative path begins at
    /// the config file's directory.
    ///
    /// `CLAVIGER_KEYS_AGE_IDENTITY_FILE`, not set.
    pub age_identity_file: Option<PathBuf>,
    /// The file, mode 0600, with the passphrase that opens the age file.
    ///
    /// `CLAVIGER_KEYS_AGE_PASSPHRASE_FILE`, not set.
    pub age_passphrase_file: Option<PathBuf>,
    /// The key file, mode 0600; for the source `age` the age file. Not set is `key` in the data
    /// directory.
    ///
    /// `CLAVIGER_KEYS_FILE`.
    pub file: Option<PathBuf>,
    /// What the variable `CLAVIGER_KEY` holds, for the source `env`.
    pub key: Option<Secret>,
    /// The name of the entry in the keyring, for the source `keyring`.
    ///
    /// `CLAVIGER_KEYS_KEYRING_ENTRY`, default `claviger`.
    pub keyring_entry: String,
    /// Key files from before: they unwrap what they wrapped, and wrap nothing.
    ///
    /// `CLAVIGER_KEYS_OLD_FILES`, none.
    pub old_files: Vec<PathBuf>,
    /// After how many days tenant, journal and audit keys get a new generation by themselves; 0 is
    /// never.
    ///
    /// `CLAVIGER_KEYS_ROTATE_AFTER_DAYS`, default 90, from 0 to 3650.
    pub rotate_after_days: u32,
    /// Where the key is.
    ///
    /// `CLAVIGER_KEYS_SOURCE`, default `file`.
    pub source: KeySource,
}

/// Where the key is. There is no second place to look where the first one fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySource {
    /// In an age file, opened by an identity or a passphrase.
    Age,
    /// In the variable `CLAVIGER_KEY`.
    Env,
    /// In a file.
    File,
    /// In the keyring of the operating system.
    Keyring,
}

// === impl KeySettings ===

impl KeySettings {
    pub(crate) fn read(
        keys: &mut Keys<'_, '_>,
        config_file: Option<&Path>,
        key: Option<Secret>,
    ) -> Self {
        let base = config_file.and_then(Path::parent);
        let path = |keys: &mut Keys<'_, '_>, name| {
            let path: Option<PathBuf> = keys.read(name, None, PATH, |_| Ok(()));
            path.map(|path| resolved(base, &path))
        };
        let age_identity_file = path(keys, "age_identity_file");
        let age_passphrase_file = path(keys, "age_passphrase_file");
        let file = path(keys, "file");
        let keyring_entry = keys.read("keyring_entry", "claviger".to_owned(), ENTRY, |name| {
            if name.is_empty() { Err(ENTRY) } else { Ok(()) }
        });
        let old_files: Vec<PathBuf> = keys.read("old_files", Vec::new(), PATHS, |_| Ok(()));
        let rotate_after_days = keys.read("rotate_after_days", 90, DAYS, |days| {
            if *days <= 3650 { Ok(()) } else { Err(DAYS) }
        });
        let source = keys.read("source", KeySource::File, SOURCES, |_| Ok(()));
        if source == KeySource::Age {
            if file.is_none() {
                let accepted = "name the age file with `file`";
                keys.refuse("source", "found \"age\" alone", accepted);
            }
            if age_identity_file.is_some() == age_passphrase_file.is_some() {
                let found = "found \"age\" without one thing that opens it";
                let accepted = "name either `age_identity_file` or `age_passphrase_file`";
                keys.refuse("source", found, accepted);
            }
        }
        Self {
            age_identity_file,
            age_passphrase_file,
            file,
            key,
            keyring_entry,
            old_files: old_files.iter().map(|path| resolved(base, path)).collect(),
            rotate_after_days,
            source,
        }
    }
}

// === impl KeySource ===

impl KeySource {
    const fn word(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Env => "env",
            Self::File => "file",
            Self::Keyring => "keyring",
        }
    }
}

impl Setting for KeySource {
    fn parse(raw: &Raw) -> Option<Self> {
        let Raw::Text(text) = raw else {
            return None;
        };
        [Self::Age, Self::Env, Self::File, Self::Keyring]
            .into_iter()
            .find(|source| source.word() == text)
    }

    fn shown(&self) -> Option<Value> {
        Some(Value::String(self.word().to_owned()))
    }
}

fn resolved(base: Option<&Path>, path: &Path) -> PathBuf {
    base.map_or_else(|| path.to_owned(), |base| base.join(path))
}

/// The variable that holds the key itself. Not `CLAVIGER_KEYS_…`: it is no setting, and is never
/// shown.
pub(crate) const KEY_VARIABLE: &str = "CLAVIGER_KEY";

const DAYS: &str = "accepted are 0 (never) to 3650";
const ENTRY: &str = "accepted is a name";
const PATH: &str = "accepted is the path of a file";
const PATHS: &str = "accepted is a list of paths";
const SOURCES: &str = "accepted are \"file\", \"env\", \"keyring\" and \"age\"";
