//! The keyring of the operating system.

use claviger_crypto::Secret;

use super::KekError;

/// Where entries are kept by name. What does not answer is an error, and never an empty answer.
pub(in crate::open) trait Keyring: Send + Sync {
    /// What the entry holds; `None` if there is none.
    fn read(&self, entry: &str) -> Result<Option<Secret>, KekError>;
    /// Writes the entry, over what is there.
    fn write(&self, entry: &str, text: &Secret) -> Result<(), KekError>;
}

/// That of the operating system, where it is built in.
#[derive(Debug, Clone, Copy)]
pub(in crate::open) struct OfSystem;

#[cfg(not(feature = "keyring"))]
impl Keyring for OfSystem {
    fn read(&self, _entry: &str) -> Result<Option<Secret>, KekError> {
        Err(KekError::NotBuiltIn { feature: "keyring" })
    }

    fn write(&self, _entry: &str, _text: &Secret) -> Result<(), KekError> {
        Err(KekError::NotBuiltIn { feature: "keyring" })
    }
}

#[cfg(feature = "keyring")]
mod system {
    use std::thread;

    use claviger_crypto::Secret;
    use keyring::{Entry, Error};

    use super::{Keyring, OfSystem};
    use crate::open::KekError;

    /// The service under which entries stand.
    const SERVICE: &str = "claviger";

    impl Keyring for OfSystem {
        fn read(&self, entry: &str) -> Result<Option<Secret>, KekError> {
            let entry = entry.to_owned();
            aside(move || match Entry::new(SERVICE, &entry)?.get_password() {
                Ok(text) => Ok(Some(Secret::new(text))),
                Err(Error::NoEntry) => Ok(None),
                Err(error) => Err(error),
            })
        }

        fn write(&self, entry: &str, text: &Secret) -> Result<(), KekError> {
            let (entry, text) = (entry.to_owned(), Secret::new(text.expose()));
            aside(move || Entry::new(SERVICE, &entry)?.set_password(text.expose()))
        }
    }

    /// On a thread of its own: it waits for a bus, which a thread of the runtime must not.
    fn aside<T: Send>(work: impl FnOnce() -> keyring::Result<T> + Send) -> Result<T, KekError> {
        let done = thread::scope(|scope| scope.spawn(work).join());
        let failed = |source| KekError::Keyring { source };
        match done {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(failed(error.into())),
            Err(_panic) => Err(failed("the way to the keyring broke".into())),
        }
    }
}
