//! Words of `claviger doctor`.

use clap::Args;

use super::Output;

/// What `doctor` takes.
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub(crate) struct DoctorArgs {
    /// The MCP endpoint
    pub(crate) url: String,
    /// Allow private and loopback addresses for this host
    #[arg(long)]
    pub(crate) allow_private: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

const HELP: &str = "\
Examples:
  claviger doctor https://mcp.linear.app/mcp
  claviger doctor http://127.0.0.1:3000/mcp --allow-private --json";
