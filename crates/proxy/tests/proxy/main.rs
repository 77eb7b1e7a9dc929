//! The data path from the route to the upstream, with every door faked.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests fail loudly"
)]

mod admission;
mod answers;
mod credentials;
mod missing;
mod requests;
mod sessions;
mod streams;
mod support;
