//! The keyring of the operating system.

use claviger_crypto::Secret;
use keyring::{Entry, Error};

use super::KekError;

/// The service under which entries stand.
const SERVICE: &str = "claviger";

/// What the entry holds; `None` if there is none. A keyring that does not answer is an error.
pub(super) fn read(entry: &str) -> Result<Option<Secret>, KekError> {
    match open(entry)?.get_password() {
        Ok(text) => Ok(Some(Secret::new(text))),
        Err(Error::NoEntry) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Writes the entry. It counts as written once it was read back.
pub(super) fn write(entry: &str, text: &Secret) -> Result<(), KekError> {
    open(entry)?.set_password(text.expose()).map_err(failed)
}

fn open(entry: &str) -> Result<Entry, KekError> {
    Entry::new(SERVICE, entry).map_err(failed)
}

fn failed(error: Error) -> KekError {
    KekError::Keyring {
        source: error.into(),
    }
}
