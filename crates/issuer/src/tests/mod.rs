//! The issuer as plain values, and over axum by single requests.

mod authorize;
mod clients;
mod fixture;
#[cfg(feature = "http")]
mod http;
mod refresh;
mod token;
