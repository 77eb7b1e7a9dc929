//! Files and environment to typed settings, with the origin of each value.
//!
//! Start at [`Config::load`]. It takes [`Sources`] as plain values, so that a test never has to
//! change its own environment; [`Sources::from_process`] is the one place that reads the real one.
//! A value comes from a flag, else from `CLAVIGER_<SECTION>_<KEY>`, else from the file, else it is
//! the default. Everything that is wrong is listed at once.
//!
//! To add a setting: a field with a doc comment that names its environment variable, its line in
//! `read`, and the section's table in the tests, which fails until both are there.
//!
//! Deliberately absent: secrets in the config file. They live in files of their own, or in the
//! environment, and are never shown.

pub use audit::{AuditMode, AuditSettings};
pub use config::Config;
pub use egress::EgressSettings;
pub use issuers::IssuersSettings;
pub use limits::LimitsSettings;
pub use log::{LogFormat, LogLevel, LogSettings};
pub use origin::{Entry, Origin};
pub use problem::{ConfigError, Problem};
pub use sealing::{KeySettings, KeySource};
pub use server::ServerSettings;
pub use sign_in::SignInSettings;
pub use sources::{Flag, Sources};
pub use store::{StoreSettings, UrlFileError};
pub use surroundings::Surroundings;

mod audit;
mod config;
mod egress;
mod file;
mod issuers;
mod keys;
mod limits;
mod locate;
mod log;
mod nearest;
mod origin;
mod postgres_url;
mod problem;
mod raw;
mod sealing;
mod secret_file;
mod server;
mod sign_in;
mod sources;
mod store;
mod surroundings;
