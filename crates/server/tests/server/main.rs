//! The server as its callers see it: an installation in a directory, a socket, pages, an end.
#![cfg(feature = "demo")]
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "these tests stand outside the doors, and fail loudly"
)]

mod acts;
mod changes;
mod ending;
mod following;
mod installation;
mod pages;
mod secrets;
mod sockets;
mod support;
