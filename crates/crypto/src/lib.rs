//! Keys, signatures, sealing, digests and the [`Secret`] wrapper.
//!
//! Everything here is a pure function of its arguments, but for asymmetric signing, which takes
//! its randomness from aws-lc-rs itself. Start at [`seal()`] for what is stored, at [`MacKey`] for
//! what is looked up, at [`SigningKey`] for what we prove. No file, clock or socket is touched.

pub use assertion::{AssertionClaims, SignError};
pub use context::{Context, SealedFor};
pub use digest::{pkce_challenge, sha256};
pub use encoding::{base64_decode, base64_encode, base64url_decode, base64url_encode, hex};
pub use jws::UnverifiedJws;
pub use kek::{InvalidKeyFile, Kek, UnwrapError, wrapping_kek};
pub use mac::MacKey;
pub use public_key::{PublicKey, PublicKeyError};
pub use seal::{OpenError, TenantKey, open, record_generation, record_kek_id, seal};
pub use secret::Secret;
pub use signing_key::{SigningAlgorithm, SigningKey, SigningKeyError};
pub use token::{TokenKind, kind_of, mint};
pub use unverified::{UnverifiedClaims, unverified_claims};

mod assertion;
mod context;
mod digest;
mod encoding;
mod jws;
mod kek;
mod mac;
mod public_key;
mod record;
mod seal;
mod secret;
mod signing_key;
mod token;
mod unverified;
