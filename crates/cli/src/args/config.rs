//! Words of `claviger config`.

use clap::{Args, Subcommand};

use super::Output;

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check the configuration and list everything that is wrong
    Check(CheckArgs),
    /// Show every setting as it stands, as a config file
    Show(ShowArgs),
}

/// What `config check` takes.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What `config show` takes.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ShowArgs {
    /// Say where each value came from
    #[arg(long)]
    pub(crate) origin: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}
