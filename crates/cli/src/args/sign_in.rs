//! Words of `claviger login` and `claviger status`.

use clap::{Args, value_parser};
use claviger_model::Slug;

use super::Output;

/// What `login` takes.
#[derive(Debug, Clone, Args)]
#[command(after_help = LOGIN_HELP)]
pub(crate) struct LoginArgs {
    /// The server's name
    #[arg(value_name = "SERVER", value_parser = Slug::parse)]
    pub(crate) slug: Slug,
    /// Print the URL instead of opening it, and take the address your browser ends at
    #[arg(long)]
    pub(crate) no_browser: bool,
    /// Sign in even if you are signed in
    #[arg(long)]
    pub(crate) force: bool,
    #[arg(
        help = "How long to wait for you, in seconds [env: CLAVIGER_SIGN_IN_TIMEOUT_S] [default: 300]"
    )]
    #[arg(long, value_name = "SECONDS", value_parser = value_parser!(u32).range(1..=600))]
    pub(crate) timeout_s: Option<u32>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What `status` takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct StatusArgs {
    /// The server's name; all servers if absent
    #[arg(value_name = "SERVER", value_parser = Slug::parse)]
    pub(crate) slug: Option<Slug>,
    /// List what issuers have not yet confirmed to be revoked, and when they are asked again
    #[arg(long, conflicts_with = "slug")]
    pub(crate) revocations: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

const LOGIN_HELP: &str = "\
Examples:
  claviger login linear
  claviger login linear --no-browser
  claviger login linear --no-browser --json";
