//! The guard as plain values, and as a layer by single requests.

mod admit;
#[cfg(feature = "http")]
mod http;
