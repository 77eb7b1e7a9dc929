//! Composition root: listeners, lifecycle, background tasks and telemetry.
//!
//! [`serve()`] runs the gateway; [`open()`] gives a command line whatever it should talk to: a running
//! server's admin socket, or this process's own pieces on the same database. Concrete types meet
//! in `app` and nowhere else. Deliberately absent: decisions; those are made below.

pub use connect::open;
pub use gateway::{Gateway, GatewayError, McpRequest};
pub use open::{KekError, OpenError, make_key_file};
pub use places::PlacesError;
pub use serve::{Ready, ServeError, serve};
pub use telemetry::{LogTo, start_logging};

#[cfg(feature = "demo")]
pub mod demo;
pub mod journal;
pub mod upkeep;
#[cfg(feature = "demo")]
pub mod walkthrough;

mod act;
mod api_tokens;
mod app;
mod blocked;
mod catalogue;
mod connect;
mod doors;
mod follow;
mod gateway;
mod installation;
mod landing;
mod listen;
mod local;
mod open;
mod opening;
mod pages;
mod places;
mod pulse;
mod remote;
mod rotation;
mod serve;
mod socket;
mod sweeper;
mod tasks;
mod telemetry;
mod tend;
mod watch;
mod web;
