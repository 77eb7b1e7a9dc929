//! Words of `claviger demo`.

use clap::Args;

/// What `demo` takes.
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub(crate) struct DemoArgs {
    /// Sign in with your own browser instead of letting the demo play it
    #[arg(long)]
    pub(crate) browser: bool,
    /// Leave everything running, and say how to point a client at it
    #[arg(long)]
    pub(crate) keep: bool,
    #[command(flatten)]
    pub(crate) output: super::Output,
}

const HELP: &str = "\
Examples:
  claviger demo
  claviger demo --keep";
