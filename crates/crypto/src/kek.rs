//! The key-encryption key: it wraps other keys, and lives outside the database.

use core::fmt;

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::Zeroizing;

use crate::record::{Malformed, RecordKey, UnverifiedRecord};
use crate::{Context, SealedFor, Secret, base64url_decode, base64url_encode, hex};

/// A key-encryption key.
#[derive(Clone)]
pub struct Kek {
    id: [u8; 8],
    key: Zeroizing<[u8; 32]>,
}

/// A text that is no key file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a key file: expected one line `claviger-kek-1:` and 43 characters of base64url")]
pub struct InvalidKeyFile;

/// Why a key was not unwrapped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnwrapError {
    /// The bytes are no wrapped key.
    #[error("not a wrapped key")]
    Malformed,
    /// Another KEK wraps it.
    #[error("wrapped by the key {wrapped_by}, not by {given}; provide that key file")]
    OtherKek {
        /// The id of the KEK it names, in hexadecimal.
        wrapped_by: String,
        /// The id of the KEK at hand, in hexadecimal.
        given: String,
    },
    /// It was changed, or moved from another row.
    #[error("the wrapped key was changed or moved from another row")]
    Refused,
    /// A later version of Claviger made it.
    #[error("wrapped in a format this version does not know")]
    UnknownFormat,
}

struct IdLength;

// === impl Kek ===

impl Kek {
    /// A KEK of 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        let key = Zeroizing::new(bytes);
        Self {
            id: derive_id(&key),
            key,
        }
    }

    /// Reads a key file's text.
    pub fn parse(text: &Secret) -> Result<Self, InvalidKeyFile> {
        let line = text.expose().trim_end_matches(['\r', '\n']);
        let encoded = line.strip_prefix(FILE_PREFIX).ok_or(InvalidKeyFile)?;
        let decoded = Zeroizing::new(base64url_decode(encoded).ok_or(InvalidKeyFile)?);
        let bytes = <[u8; 32]>::try_from(&decoded[..]);
        bytes.map_or(Err(InvalidKeyFile), |bytes| Ok(Self::new(bytes)))
    }

    /// Prints a key file's text: one line.
    pub fn to_key_file(&self) -> Secret {
        let encoded = Zeroizing::new(base64url_encode(&*self.key));
        Secret::new(format!("{FILE_PREFIX}{}\n", encoded.as_str()))
    }

    /// Its id: tells which KEK wraps a key, and nothing about the KEK.
    pub fn id(&self) -> [u8; 8] {
        self.id
    }

    /// Wraps a key. `tenant` is empty for the installation's own; `salt` must be fresh random
    /// bytes.
    pub fn wrap(
        &self,
        purpose: &str,
        tenant: &str,
        generation: u32,
        salt: [u8; 32],
        key: &[u8; 32],
    ) -> Vec<u8> {
        self.record_key(generation)
            .seal(&context(purpose, tenant), salt, key)
    }

    /// Unwraps a key that was wrapped for this purpose, tenant and generation.
    pub fn unwrap(
        &self,
        purpose: &str,
        tenant: &str,
        generation: u32,
        wrapped: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, UnwrapError> {
        let record = UnverifiedRecord::parse(MAGIC, wrapped)?;
        if record.kek_id != self.id {
            return Err(UnwrapError::OtherKek {
                wrapped_by: hex(&record.kek_id),
                given: hex(&self.id),
            });
        }
        if record.generation != generation {
            return Err(UnwrapError::Refused);
        }
        let opened = self
            .record_key(generation)
            .open(&context(purpose, tenant), &record)
            .ok_or(UnwrapError::Refused)?;
        let key = opened.first_chunk().ok_or(UnwrapError::Malformed)?;
        if opened.len() != key.len() {
            return Err(UnwrapError::Malformed);
        }
        Ok(Zeroizing::new(*key))
    }

    fn record_key(&self, generation: u32) -> RecordKey<'_> {
        RecordKey {
            magic: MAGIC,
            kek_id: self.id,
            generation,
            key: &self.key,
        }
    }
}

impl fmt::Debug for Kek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kek({})", hex(&self.id))
    }
}

/// The id of the KEK that wraps a key.
pub fn wrapping_kek(wrapped: &[u8]) -> Option<[u8; 8]> {
    UnverifiedRecord::parse(MAGIC, wrapped)
        .ok()
        .map(|record| record.kek_id)
}

// === impl UnwrapError ===

impl From<Malformed> for UnwrapError {
    fn from(malformed: Malformed) -> Self {
        match malformed {
            Malformed::Form => Self::Malformed,
            Malformed::Version => Self::UnknownFormat,
        }
    }
}

// === impl IdLength ===

impl KeyType for IdLength {
    fn len(&self) -> usize {
        8
    }
}

fn context(purpose: &str, tenant: &str) -> Context {
    Context::new(SealedFor::Key)
        .at("keys", purpose)
        .tenant(tenant)
}

#[expect(
    clippy::expect_used,
    reason = "8 bytes are under HKDF's limit of 255 blocks"
)]
fn derive_id(key: &[u8; 32]) -> [u8; 8] {
    let mut id = [0; 8];
    Salt::new(HKDF_SHA256, &[])
        .extract(key)
        .expand(&[b"kek-id"], IdLength)
        .and_then(|material| material.fill(&mut id))
        .expect("HKDF gives 8 bytes");
    id
}

const MAGIC: [u8; 4] = *b"CLVK";
const FILE_PREFIX: &str = "claviger-kek-1:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unwraps_what_it_wrapped_and_only_there() {
        let kek = Kek::new([1; 32]);
        let wrapped = kek.wrap("tenant", "t1", 2, [3; 32], &[4; 32]);
        assert_eq!(wrapping_kek(&wrapped), Some(kek.id()));
        assert_eq!(*kek.unwrap("tenant", "t1", 2, &wrapped).unwrap(), [4; 32]);
        for (purpose, tenant, generation) in
            [("mac", "t1", 2), ("tenant", "t2", 2), ("tenant", "t1", 3)]
        {
            assert_eq!(
                kek.unwrap(purpose, tenant, generation, &wrapped),
                Err(UnwrapError::Refused)
            );
        }
    }

    // A wrong KEK is told apart from a broken row.
    #[test]
    fn names_the_kek_that_is_needed() {
        let wrapped = Kek::new([1; 32]).wrap("tenant", "t1", 1, [3; 32], &[4; 32]);
        let other = Kek::new([2; 32]);
        assert_eq!(
            other.unwrap("tenant", "t1", 1, &wrapped),
            Err(UnwrapError::OtherKek {
                wrapped_by: hex(&Kek::new([1; 32]).id()),
                given: hex(&other.id()),
            })
        );
    }

    #[test]
    fn a204_each_flipped_byte_of_a_wrapped_key_fails() {
        let kek = Kek::new([1; 32]);
        let wrapped = kek.wrap("tenant", "t1", 1, [3; 32], &[4; 32]);
        for at in 0..wrapped.len() {
            let mut changed = wrapped.clone();
            changed[at] ^= 1;
            assert!(kek.unwrap("tenant", "t1", 1, &changed).is_err(), "{at}");
            assert!(kek.unwrap("tenant", "t1", 1, &wrapped[..at]).is_err());
        }
    }

    #[test]
    fn a_wrapped_key_is_no_sealed_record() {
        let wrapped = Kek::new([1; 32]).wrap("tenant", "t1", 1, [3; 32], &[4; 32]);
        assert_eq!(crate::record_generation(&wrapped), None);
    }

    #[test]
    fn key_file_round_trip() {
        let kek = Kek::new([0xfb; 32]);
        let text = kek.to_key_file();
        assert!(text.expose().starts_with("claviger-kek-1:-_v7"));
        assert!(text.expose().ends_with("s\n"));
        assert_eq!(Kek::parse(&text).unwrap().id(), kek.id());
    }

    #[test]
    fn refuses_other_key_files() {
        let good = Kek::new([1; 32]).to_key_file();
        let line = good.expose().trim_end();
        for text in [
            "",
            "claviger-kek-1:",
            line.strip_prefix("claviger-kek-1:").unwrap(),
            &line.replace("-1:", "-2:"),
            line.strip_suffix('E').unwrap(),
            &format!("{line}E"),
            &format!("{line}\n{line}"),
            &format!(" {line}"),
        ] {
            assert_eq!(
                Kek::parse(&Secret::new(text)).err(),
                Some(InvalidKeyFile),
                "{text}"
            );
        }
    }

    #[test]
    fn debug_shows_the_id_alone() {
        let kek = Kek::new([1; 32]);
        assert_eq!(format!("{kek:?}"), format!("Kek({})", hex(&kek.id())));
    }
}
