//! The way to the gateway: all that the command line takes from the server crate.

use core::error::Error;
use std::path::Path;

use async_trait::async_trait;
use claviger_config::Config;
use claviger_server::upkeep::UpkeepError;
use claviger_server::{Gateway, LogTo, OpenError, ServeError};

use crate::args::Command;
use crate::error::CommandError;
use crate::exit::Exit;

pub(crate) use claviger_server::Ready;

/// Opens the gateway; a fake one in tests.
#[async_trait]
pub(crate) trait Engine: Send + Sync {
    /// The running server's admin socket if one answers, else this process's own pieces on the
    /// same database.
    async fn open(&self, config: &Config) -> Result<Box<dyn Gateway>, CommandError>;
}

/// The installation that the configuration names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Installed;

#[async_trait]
impl Engine for Installed {
    async fn open(&self, config: &Config) -> Result<Box<dyn Gateway>, CommandError> {
        Box::pin(claviger_server::open(config))
            .await
            .map_err(|error| not_open(&error))
    }
}

/// Serves until `shutdown` resolves, then ends in order.
pub(crate) async fn serve(
    config: Config,
    shutdown: impl Future<Output = ()> + Send,
    on_ready: impl FnOnce(&Ready),
) -> Result<(), CommandError> {
    Box::pin(claviger_server::serve(config, shutdown, on_ready))
        .await
        .map_err(|error| match &error {
            ServeError::Open(source) => not_open(source),
            _ => failed(
                Exit::of_fault(error.fault()),
                "not_serving",
                &error,
                error.hint(),
            ),
        })
}

/// Makes a key file; false if there is a file already.
pub(crate) fn make_key_file(path: &Path) -> Result<bool, CommandError> {
    claviger_server::make_key_file(path).map_err(|error| not_open(&error))
}

/// Starts the log of this process.
pub(crate) fn start_logging(config: &Config, command: &Command, verbose: u8) {
    let to = match command {
        Command::Serve(_) => LogTo::Server,
        _ => LogTo::Command,
    };
    claviger_server::start_logging(config, to, verbose);
}

/// Whose fault it is decides the exit code, and that what is busy is nobody's (F36).
pub(crate) fn not_open(error: &OpenError) -> CommandError {
    if error.is_busy() {
        return failed(Exit::BUSY, "busy", error, error.hint());
    }
    failed(
        Exit::of_fault(error.fault()),
        "not_open",
        error,
        error.hint(),
    )
}

/// What was not done to a database, and why.
pub(crate) fn of_upkeep(code: &str, error: &UpkeepError) -> CommandError {
    if error.is_busy() {
        return failed(Exit::BUSY, "busy", error, error.hint());
    }
    failed(Exit::of_fault(error.fault()), code, error, error.hint())
}

fn failed(
    exit: Exit,
    code: &str,
    error: &(dyn Error + 'static),
    hint: Option<String>,
) -> CommandError {
    let mut failed = CommandError::new(exit, code, error.to_string());
    if let Some(source) = error.source() {
        failed = failed.caused_by(source);
    }
    failed.or_hint(hint)
}
