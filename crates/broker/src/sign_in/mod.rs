//! Sign-ins: begun here, finished by whichever process the browser comes back to.

pub use begin::{Begin, BeginError, Begun, Started};
pub use complete::Completed;
pub use ended::Ended;
pub(crate) use ended::Ending;
pub(crate) use flight_record::context as flight_context;

mod begin;
mod complete;
mod ended;
mod flight_record;
mod redeemed;
