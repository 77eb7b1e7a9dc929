//! The sealed record: `magic(4) ver(1) alg(1) kek_id(8) tk_gen(4) salt(32) commit(32) ct‖tag`.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::Zeroizing;

use crate::Context;

/// The key of a record, and how the record names it.
pub(crate) struct RecordKey<'a> {
    pub(crate) magic: [u8; 4],
    pub(crate) kek_id: [u8; 8],
    pub(crate) generation: u32,
    pub(crate) key: &'a [u8; 32],
}

/// A record taken apart; nothing of it is verified.
pub(crate) struct UnverifiedRecord<'a> {
    pub(crate) kek_id: [u8; 8],
    pub(crate) generation: u32,
    salt: [u8; 32],
    commitment: [u8; 32],
    body: &'a [u8],
}

/// Why bytes are no record.
pub(crate) enum Malformed {
    Form,
    Version,
}

struct OneTimeKey {
    cipher: LessSafeKey,
    commitment: [u8; 32],
}

struct Length;

// === impl RecordKey ===

impl RecordKey<'_> {
    /// Seals. The salt must be random: it makes the cipher's key a new one for every write, so
    /// that a nonce cannot repeat.
    pub(crate) fn seal(&self, context: &Context, salt: [u8; 32], plaintext: &[u8]) -> Vec<u8> {
        let aad = context.encode(self.kek_id, self.generation, ALGORITHM);
        let once = derive(self.key, &salt, &aad);
        // Full size at once: a growing buffer would leave plaintext behind.
        let mut out = Vec::with_capacity(HEADER_LEN + plaintext.len() + TAG_LEN);
        out.extend_from_slice(&self.magic);
        out.extend_from_slice(&[VERSION, ALGORITHM]);
        out.extend_from_slice(&self.kek_id);
        out.extend_from_slice(&self.generation.to_be_bytes());
        out.extend_from_slice(&salt);
        out.extend_from_slice(&once.commitment);
        out.extend_from_slice(plaintext);
        #[expect(
            clippy::expect_used,
            reason = "AES-GCM fails only above 2^36 bytes, which no row holds"
        )]
        let tag = once
            .cipher
            .seal_in_place_separate_tag(nonce(), Aad::from(&aad), &mut out[HEADER_LEN..])
            .expect("plaintext fits AES-GCM");
        out.extend_from_slice(tag.as_ref());
        out
    }

    /// Opens; `None` if it was not sealed by this key, for this place, or was changed since.
    pub(crate) fn open(
        &self,
        context: &Context,
        record: &UnverifiedRecord<'_>,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let aad = context.encode(record.kek_id, record.generation, ALGORITHM);
        let once = derive(self.key, &record.salt, &aad);
        // AES-GCM does not commit to its key, so one ciphertext can be made that opens under two.
        // The commitment, checked first, rules that out.
        verify_slices_are_equal(&once.commitment, &record.commitment).ok()?;
        // In a buffer of our own: on failure nothing half-open exists (RUSTSEC-2023-0096).
        let mut buffer = Zeroizing::new(record.body.to_vec());
        let length = once
            .cipher
            .open_in_place(nonce(), Aad::from(&aad), &mut buffer)
            .ok()?
            .len();
        buffer.truncate(length);
        Some(buffer)
    }
}

// === impl UnverifiedRecord ===

impl<'a> UnverifiedRecord<'a> {
    pub(crate) fn parse(magic: [u8; 4], record: &'a [u8]) -> Result<Self, Malformed> {
        Self::split(magic, record).ok_or(Malformed::Form)?
    }

    fn split(magic: [u8; 4], record: &'a [u8]) -> Option<Result<Self, Malformed>> {
        let (found, rest) = record.split_first_chunk::<4>()?;
        let ([version, algorithm], rest) = rest.split_first_chunk::<2>()?;
        let (kek_id, rest) = rest.split_first_chunk::<8>()?;
        let (generation, rest) = rest.split_first_chunk::<4>()?;
        let (salt, rest) = rest.split_first_chunk::<32>()?;
        let (commitment, body) = rest.split_first_chunk::<32>()?;
        if *found != magic || body.len() < TAG_LEN {
            return None;
        }
        if (*version, *algorithm) != (VERSION, ALGORITHM) {
            return Some(Err(Malformed::Version));
        }
        Some(Ok(Self {
            kek_id: *kek_id,
            generation: u32::from_be_bytes(*generation),
            salt: *salt,
            commitment: *commitment,
            body,
        }))
    }
}

// === impl Length ===

impl KeyType for Length {
    fn len(&self) -> usize {
        DERIVED_LEN
    }
}

/// HKDF-SHA-256 to 64 bytes: the cipher's key and the commitment.
#[expect(
    clippy::expect_used,
    reason = "64 bytes are under HKDF's 255 blocks, and half of them are an AES-256 key"
)]
fn derive(key: &[u8; 32], salt: &[u8; 32], info: &[u8]) -> OneTimeKey {
    let mut derived = Zeroizing::new([0; DERIVED_LEN]);
    Salt::new(HKDF_SHA256, salt)
        .extract(key)
        .expand(&[info], Length)
        .and_then(|material| material.fill(&mut *derived))
        .expect("HKDF gives 64 bytes");
    let (cipher_key, commitment) = derived.split_at(32);
    let cipher = UnboundKey::new(&AES_256_GCM, cipher_key).expect("an AES-256 key has 32 bytes");
    let mut out = OneTimeKey {
        cipher: LessSafeKey::new(cipher),
        commitment: [0; 32],
    };
    out.commitment.copy_from_slice(commitment);
    out
}

/// Always zero: each key seals one message.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

const VERSION: u8 = 1;
/// AES-256-GCM under a key from HKDF-SHA-256.
const ALGORITHM: u8 = 1;
const DERIVED_LEN: usize = 64;
const HEADER_LEN: usize = 4 + 1 + 1 + 8 + 4 + 32 + 32;
const TAG_LEN: usize = 16;
