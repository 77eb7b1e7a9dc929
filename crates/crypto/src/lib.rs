//! Keys, signatures, sealing, digests and the [`Secret`] wrapper.
//!
//! Everything here is a pure function of its arguments, but for asymmetric signing and key
//! generation, which take their randomness from aws-lc-rs itself.

pub use secret::Secret;

mod secret;
