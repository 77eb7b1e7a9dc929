//! Logs: to standard error, for people or machines.

use std::io::{IsTerminal, stderr};

use claviger_config::{Config, LogFormat, LogLevel};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::Subscriber;

/// Who reads the log; decides what is worth a line where nothing was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogTo {
    /// Somebody who typed a command: warnings.
    Command,
    /// Somebody who runs a server: what happens.
    Server,
}

/// Starts the log of this process. Our own lines follow the level that is set; other crates speak
/// up from `warn` only, since at lower levels some print what they were given.
pub fn start_logging(config: &Config, to: LogTo, more: u8) {
    let chosen = config.log.level.unwrap_or(match to {
        LogTo::Command => LogLevel::Warn,
        LogTo::Server => LogLevel::Info,
    });
    let level = match (chosen, more) {
        (chosen, 0) => word(chosen),
        (LogLevel::Error | LogLevel::Warn, 1) => "info",
        (LogLevel::Trace, _) | (_, 3..) => "trace",
        _ => "debug",
    };
    let filter = OURS.iter().fold(EnvFilter::new("warn"), |filter, name| {
        match format!("{name}={level}").parse() {
            Ok(directive) => filter.add_directive(directive),
            Err(_not_a_directive) => filter,
        }
    });
    let builder = Subscriber::builder()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_target(false)
        .with_ansi(stderr().is_terminal());
    let started = match config.log.format {
        LogFormat::Json => builder.json().try_init(),
        LogFormat::Text => builder.compact().try_init(),
    };
    if started.is_err() {
        tracing::debug!("a log was started already");
    }
}

const OURS: [&str; 9] = [
    "claviger",
    "claviger_broker",
    "claviger_client",
    "claviger_egress",
    "claviger_guard",
    "claviger_issuer",
    "claviger_proxy",
    "claviger_server",
    "claviger_store_sqlite",
];

const fn word(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    }
}
