//! The credentials we hold, from sign-in to revocation: flights, leases and states.

pub use attach::{Attach, Attachment, Missing, Refusal, TokenMark};

mod attach;
