//! Keyed MACs: how secrets are found again without being stored.

use core::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use zeroize::Zeroizing;

/// A key for HMAC-SHA-256; its memory is wiped when it is dropped.
///
/// A database writer cannot plant a token and a reader cannot test guesses, since both lack the
/// key (A206).
#[derive(Clone)]
pub struct MacKey(Zeroizing<[u8; 32]>);

impl MacKey {
    /// A key of 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The MAC of `parts` for one purpose. Each field goes in behind its length, so that no two
    /// different lists of fields meet.
    pub fn mac(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&hmac::Key::new(HMAC_SHA256, &*self.0));
        for field in [purpose.as_bytes()].iter().chain(parts) {
            context.update(&(field.len() as u64).to_be_bytes());
            context.update(field);
        }
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        out
    }

    /// Whether `mac` is the MAC of `parts`, in constant time.
    pub fn verify(&self, purpose: &str, parts: &[&[u8]], mac: &[u8]) -> bool {
        verify_slices_are_equal(&self.mac(purpose, parts), mac).is_ok()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sha256;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", MacKey::new([7; 32])), "MacKey([redacted])");
    }

    #[test]
    fn verifies_only_its_own() {
        let key = MacKey::new([7; 32]);
        let mac = key.mac("state", &[b"a", b"b"]);
        assert!(key.verify("state", &[b"a", b"b"], &mac));
        assert!(!key.verify("token", &[b"a", b"b"], &mac));
        assert!(!key.verify("state", &[b"a", b"b"], &mac[..31]));
        assert!(!MacKey::new([8; 32]).verify("state", &[b"a", b"b"], &mac));
    }

    #[test]
    fn moved_field_borders_change_the_mac() {
        let key = MacKey::new([7; 32]);
        let lists: [(&str, &[&[u8]]); 5] = [
            ("p", &[b"ab", b"c"]),
            ("p", &[b"a", b"bc"]),
            ("p", &[b"abc"]),
            ("p", &[b"abc", b""]),
            ("pa", &[b"bc"]),
        ];
        for (index, (purpose, parts)) in lists.iter().enumerate() {
            for (other_purpose, other) in &lists[index + 1..] {
                assert_ne!(key.mac(purpose, parts), key.mac(other_purpose, other));
            }
        }
    }

    // A206: a plain digest of a chosen token is not what is looked up.
    #[test]
    fn a206_a_plain_digest_is_no_mac() {
        let key = MacKey::new([7; 32]);
        assert!(!key.verify("api_token", &[b"chosen"], &sha256(b"chosen")));
    }
}
