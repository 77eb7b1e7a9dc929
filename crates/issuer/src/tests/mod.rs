//! The issuer as plain values, and over axum by single requests.

mod authorize;
mod clients;
mod device;
mod documents;
mod fixture;
#[cfg(feature = "http")]
mod http;
mod introspect;
mod keys;
mod limits;
mod memory;
mod push;
mod refresh;
mod register;
mod replay;
#[cfg(feature = "http")]
mod routes;
mod token;
#[cfg(feature = "http")]
mod wire;
