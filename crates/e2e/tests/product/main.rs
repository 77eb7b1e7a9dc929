//! The product as its users meet it: the binary, its files, its sockets and its exit codes.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "whole-product tests stand outside the doors, and fail loudly"
)]

mod admission;
mod audit;
mod backup;
mod canaries;
mod command_line;
mod copy_counts;
mod demo;
mod first_start;
mod keys;
mod one_refresh;
mod postgres;
mod postgres_ways;
mod purges;
mod refusals;
mod replace;
mod revocations;
mod shared_sign_in;
mod sign_in;
mod store_copy;
mod streaming;
mod support;
