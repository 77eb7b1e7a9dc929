//! The demo's other side: a protected MCP server with an authorization server of its own, and a
//! scripted browser.
//!
//! Everything is on loopback and ends with the process. [`ProtectedDemo::start`] starts the server,
//! [`play_browser`] signs in the way a person would.

pub use counters::DemoCounters;
pub use player::{PlayError, Played, PlayedStep, play_browser};
pub use protected::{DemoError, DemoSettings, ProtectedDemo, RunningDemo};

mod clock;
mod counters;
mod issuer;
mod page;
mod player;
mod protected;
mod tools;

#[cfg(test)]
mod tests;
