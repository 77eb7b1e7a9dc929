//! The doors to the outside, as traits. Engines ask; programs open.
//!
//! [`Clock`] and [`Entropy`] are opened by [`system`]; the network doors are opened by `egress`,
//! [`Tasks`] by `server`. Every door has a fake in `testkit`.

pub use clock::Clock;
pub use entropy::Entropy;
pub use fetch::{Fetch, FetchError, FetchRequest, FetchResponse, Sink};
pub use forward::{Body, BoxError, Forward, ForwardError, empty_body, full_body};
pub use journal::{EntryId, Journal, JournalError};
pub use reach::Reach;
pub use resolve::{Resolve, ResolveError};
pub use tasks::Tasks;

#[cfg(feature = "failpoints")]
pub mod failpoint;
pub mod system;

mod clock;
mod entropy;
mod failpoint_macros;
mod fetch;
mod forward;
mod journal;
mod reach;
mod resolve;
mod tasks;
