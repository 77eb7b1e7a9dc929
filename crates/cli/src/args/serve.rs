//! Words of `claviger serve`.

use std::path::PathBuf;

use clap::Args;

use super::Output;

/// What `serve` takes.
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub(crate) struct ServeArgs {
    #[arg(
        help = "Where to listen; port 0 picks one [env: CLAVIGER_SERVER_LISTEN] [default: 127.0.0.1:7447]"
    )]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// Write one line of JSON there as soon as it serves: address, admin socket, process id
    #[arg(long, value_name = "PATH")]
    pub(crate) ready_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
}

const HELP: &str = "\
Examples:
  claviger serve
  claviger serve --listen 127.0.0.1:0 --ready-file /run/claviger.json";
