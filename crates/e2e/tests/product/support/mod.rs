//! The binary as a child process, an upstream of our own, and plain HTTP between them.

pub(crate) use binary::{Claviger, Ended, Gateway, end};
pub(crate) use http::{Answer, Incoming, ask, ask_streaming, get, rpc};
pub(crate) use upstream::Upstream;

mod answers;
mod binary;
mod http;
mod seen;
pub(crate) mod sqlite;
mod upstream;
