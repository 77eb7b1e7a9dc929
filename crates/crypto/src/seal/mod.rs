//! Sealing what is stored, under a tenant's key.

use core::fmt;

use zeroize::Zeroizing;

use crate::Context;
use crate::record::{Malformed, RecordKey, UnverifiedRecord};

/// One generation of a tenant's key, unwrapped.
#[derive(Clone)]
pub struct TenantKey {
    /// Counts from 1.
    pub generation: u32,
    /// Which KEK wraps it now.
    pub kek_id: [u8; 8],
    /// The key.
    pub key: Zeroizing<[u8; 32]>,
}

/// Why a record was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The bytes are no record: truncated, or something else.
    #[error("not a sealed record")]
    Malformed,
    /// It was sealed with another generation of the key; find that one and open with it.
    #[error("sealed with generation {sealed_with} of the key")]
    OtherGeneration {
        /// The generation it names.
        sealed_with: u32,
    },
    /// It was changed, moved from another place, or sealed by another key.
    #[error("the record was changed, moved or sealed by another key")]
    Refused,
    /// A later version of Claviger made it.
    #[error("sealed in a format this version does not know")]
    UnknownFormat,
}

// === impl TenantKey ===

impl TenantKey {
    /// A key of 32 random bytes.
    pub fn new(generation: u32, kek_id: [u8; 8], key: [u8; 32]) -> Self {
        Self {
            generation,
            kek_id,
            key: Zeroizing::new(key),
        }
    }

    fn record_key(&self) -> RecordKey<'_> {
        RecordKey {
            magic: MAGIC,
            kek_id: self.kek_id,
            generation: self.generation,
            key: &self.key,
        }
    }
}

impl fmt::Debug for TenantKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantKey")
            .field("generation", &self.generation)
            .field("kek_id", &crate::hex(&self.kek_id))
            .field("key", &"[redacted]")
            .finish()
    }
}

/// Seals `plaintext` for one place. `salt` must be fresh random bytes on every call.
pub fn seal(key: &TenantKey, context: &Context, salt: [u8; 32], plaintext: &[u8]) -> Vec<u8> {
    key.record_key().seal(context, salt, plaintext)
}

/// Opens a record that was sealed with this key for this place.
///
/// The KEK the record names may be another one by now: rewrapping the key voids no record.
pub fn open(
    key: &TenantKey,
    context: &Context,
    record: &[u8],
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let record = UnverifiedRecord::parse(MAGIC, record)?;
    if record.generation != key.generation {
        return Err(OpenError::OtherGeneration {
            sealed_with: record.generation,
        });
    }
    key.record_key()
        .open(context, &record)
        .ok_or(OpenError::Refused)
}

/// The generation of the key a record names. Open with that one; never try several.
pub fn record_generation(record: &[u8]) -> Option<u32> {
    UnverifiedRecord::parse(MAGIC, record)
        .ok()
        .map(|record| record.generation)
}

/// The KEK that wrapped the key when a record was sealed.
pub fn record_kek_id(record: &[u8]) -> Option<[u8; 8]> {
    UnverifiedRecord::parse(MAGIC, record)
        .ok()
        .map(|record| record.kek_id)
}

impl From<Malformed> for OpenError {
    fn from(malformed: Malformed) -> Self {
        match malformed {
            Malformed::Form => Self::Malformed,
            Malformed::Version => Self::UnknownFormat,
        }
    }
}

const MAGIC: [u8; 4] = *b"CLVS";

#[cfg(test)]
mod tests;
