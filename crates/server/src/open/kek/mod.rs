//! Where the KEKs come from. The source that is configured is taken at its word: where it fails, no
//! other is tried, and nothing is made in its place.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use claviger_broker::{KekProvider, Keks};
use claviger_config::{KeySettings, KeySource};
use claviger_crypto::{Kek, Secret, base64url_encode};
use claviger_ports::Entropy;
use claviger_ports::system::SystemEntropy;

pub use error::KekError;

use super::{Absent, OpenError};
use crate::places::{Places, create_secret_file, read_key_file};
use keyring::Keyring;
pub(super) use keyring::OfSystem;

#[cfg(feature = "age")]
mod age;
mod error;
mod keyring;

/// Where the KEK is, and what to do without one.
pub(super) struct KeyPlace<'a> {
    pub(super) settings: &'a KeySettings,
    pub(super) places: &'a Places,
    pub(super) entropy: &'a dyn Entropy,
    pub(super) absent: Absent,
    pub(super) database: &'a str,
    pub(super) keyring: &'a dyn Keyring,
}

// === impl KeyPlace ===

impl KeyPlace<'_> {
    /// The KEK that wraps; `None` where there is none yet.
    pub(super) fn read(&self) -> Result<Option<Kek>, OpenError> {
        match self.settings.source {
            KeySource::Env => self.variable().map(Some),
            KeySource::Keyring => self.in_keyring(),
            KeySource::File | KeySource::Age => self.in_file(&self.path()),
        }
    }

    /// The KEKs; a new one only where the database holds nothing yet.
    pub(super) fn keks(&self, has_data: bool) -> Result<(Keks, bool), OpenError> {
        if !has_data && self.absent == Absent::Refuse {
            return Err(OpenError::NothingYet {
                place: self.database.to_owned(),
            });
        }
        let mut old: Vec<Arc<dyn KekProvider>> = Vec::new();
        for path in &self.settings.old_files {
            let kek = self.in_file(path)?;
            let kek = kek.ok_or_else(|| OpenError::KeyFileMissing { path: path.clone() })?;
            old.push(Arc::new(kek));
        }
        if let Some(kek) = self.read()? {
            return Ok((Keks::new(Arc::new(kek), old), false));
        }
        // A207: a new key beside an old database would look like an empty vault.
        if has_data {
            return Err(self.missing());
        }
        let new = Kek::new(self.entropy.key_bytes());
        let is_made = self.make(&new.to_key_file())?;
        // Another process may have been first; then its key counts.
        let kek = self.read()?.ok_or_else(|| self.missing())?;
        Ok((Keks::new(Arc::new(kek), old), is_made))
    }

    fn path(&self) -> PathBuf {
        let file = self.settings.file.clone();
        file.unwrap_or_else(|| self.places.key_file.clone())
    }

    fn missing(&self) -> OpenError {
        match self.settings.source {
            KeySource::Keyring => KekError::NoEntry {
                entry: self.settings.keyring_entry.clone(),
            }
            .into(),
            _ => OpenError::KeyFileMissing { path: self.path() },
        }
    }

    fn in_file(&self, path: &Path) -> Result<Option<Kek>, OpenError> {
        let Some(bytes) = read_key_file(path)? else {
            return Ok(None);
        };
        if bytes.starts_with(b"age-encryption.org/") || bytes.starts_with(b"-----BEGIN AGE") {
            return self.in_age_file(path, &bytes).map(Some);
        }
        let text = core::str::from_utf8(&bytes).unwrap_or_default();
        parse(path, &Secret::new(text)).map(Some)
    }

    /// Nobody can check who else reads a variable; whoever uses one is told what it costs.
    fn variable(&self) -> Result<Kek, OpenError> {
        let text = self.settings.key.as_ref().ok_or(KekError::NoVariable)?;
        let kek = Kek::parse(text).map_err(|source| KekError::Variable { source })?;
        tracing::warn!(
            "the key comes from the variable CLAVIGER_KEY, which stays in the environment of this \
             process; a file of mode 0600 is seen by fewer"
        );
        Ok(kek)
    }

    fn make(&self, new: &Secret) -> Result<bool, OpenError> {
        match self.settings.source {
            KeySource::Age => Err(OpenError::KeyFileMissing { path: self.path() }),
            KeySource::Env => Err(KekError::NoVariable.into()),
            KeySource::File => {
                let unique = base64url_encode(&self.entropy.id_bytes());
                Ok(create_secret_file(&self.path(), new, &unique)?)
            }
            KeySource::Keyring => self.put_into_keyring(new),
        }
    }

    #[cfg(feature = "age")]
    fn in_age_file(&self, path: &Path, bytes: &[u8]) -> Result<Kek, OpenError> {
        let text = age::open(self.settings, path, bytes)?;
        parse(path, &text)
    }

    #[cfg(not(feature = "age"))]
    #[expect(clippy::unused_self, reason = "the same as with age")]
    fn in_age_file(&self, _path: &Path, _bytes: &[u8]) -> Result<Kek, OpenError> {
        Err(KekError::NotBuiltIn { feature: "age" }.into())
    }

    fn in_keyring(&self) -> Result<Option<Kek>, OpenError> {
        let entry = &self.settings.keyring_entry;
        let Some(text) = self.keyring.read(entry)? else {
            return Ok(None);
        };
        let kek = Kek::parse(&text).map_err(|source| KekError::Entry {
            entry: entry.clone(),
            source,
        })?;
        Ok(Some(kek))
    }

    /// Of two first starts at once one writes: a keyring knows no "only if there is none", and the
    /// key that is written over is lost with whatever it wrapped.
    fn put_into_keyring(&self, new: &Secret) -> Result<bool, OpenError> {
        let _alone = self.places.lock_keyring()?;
        let entry = &self.settings.keyring_entry;
        if self.keyring.read(entry)?.is_some() {
            return Ok(false);
        }
        self.keyring.write(entry, new)?;
        Ok(true)
    }
}

fn parse(path: &Path, text: &Secret) -> Result<Kek, OpenError> {
    Kek::parse(text).map_err(|source| OpenError::KeyFile {
        path: path.to_owned(),
        source,
    })
}

/// Makes a new key file, for a KEK that is to follow the one in use. False if there is a file.
pub fn make_key_file(path: &Path) -> Result<bool, OpenError> {
    let entropy = SystemEntropy;
    let new = Kek::new(entropy.key_bytes()).to_key_file();
    let unique = base64url_encode(&entropy.id_bytes());
    Ok(create_secret_file(path, &new, &unique)?)
}

#[cfg(test)]
mod tests;
