//! Words of `claviger tools` and `claviger call`.

use clap::Args;
use claviger_mcp::version;
use claviger_model::Slug;

use super::Output;

/// What `tools` takes.
#[derive(Debug, Clone, Args)]
#[command(after_help = TOOLS_HELP)]
pub(crate) struct ToolsArgs {
    /// The server's name
    #[arg(value_name = "SERVER", value_parser = Slug::parse)]
    pub(crate) slug: Slug,
    /// Begin with this revision of MCP, such as 2026-07-28
    #[arg(long, value_name = "VERSION", value_parser = revision)]
    pub(crate) protocol_version: Option<String>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What `call` takes.
#[derive(Debug, Clone, Args)]
#[command(after_help = CALL_HELP)]
pub(crate) struct CallArgs {
    /// The server's name
    #[arg(value_name = "SERVER", value_parser = Slug::parse)]
    pub(crate) slug: Slug,
    /// The tool
    pub(crate) tool: String,
    /// An argument: a value that reads as JSON is JSON, any other is text
    #[arg(long = "arg", value_name = "NAME=VALUE")]
    pub(crate) args: Vec<String>,
    /// The arguments as one JSON object; prints the result as JSON, with or without arguments
    #[arg(long, value_name = "ARGUMENTS", num_args = 0..=1, default_missing_value = "{}")]
    pub(crate) json: Option<String>,
    /// Begin with this revision of MCP, such as 2026-07-28
    #[arg(long, value_name = "VERSION", value_parser = revision)]
    pub(crate) protocol_version: Option<String>,
}

fn revision(text: &str) -> Result<String, String> {
    if version::is_dated(text) {
        return Ok(text.to_owned());
    }
    let known: Vec<&str> = version::LEGACY.into_iter().chain(version::MODERN).collect();
    Err(format!("a revision is a date: {}", known.join(", ")))
}

const TOOLS_HELP: &str = "\
Examples:
  claviger tools linear
  claviger tools linear --json";

const CALL_HELP: &str = "\
Examples:
  claviger call linear list_issues
  claviger call linear list_issues --arg limit=5 --arg team=core
  claviger call linear list_issues --json '{\"limit\": 5}'

Exit code 3 if the tool reports an error or a sign-in is needed.";
