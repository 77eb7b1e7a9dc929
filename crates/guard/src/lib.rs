//! Resource server kit: verify a bearer token, challenge who has none, publish metadata.
//!
//! Start at [`Guard::admit`]: headers in, a [`Caller`] or a [`Refusal`] out. Who knows tokens
//! implements [`Verify`]. With the feature `http` there are a tower layer and axum routes in
//! [`http`]. Deliberately absent: any way to make a [`Caller`] without a verification, and any way
//! to read a token from anywhere but the `Authorization` header.

pub use admit::{Guard, GuardSettings};
pub use caller::{Access, Caller, Verified};
pub use metadata::{InvalidResource, ResourceMetadata};
pub use refusal::{Refusal, RefusalReason};
pub use scopes::{MissingScope, ScopeHierarchy, ScopePolicy};
pub use verify::{Verify, VerifyError};

#[cfg(feature = "http")]
pub mod http;

mod admit;
mod bearer;
mod caller;
mod challenge;
mod metadata;
mod refusal;
mod scopes;
mod verify;

#[cfg(test)]
mod tests;
