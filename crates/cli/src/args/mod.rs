//! The words of the command line, as types and nothing else.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

pub(crate) use audit::{AuditCommand, AuditExportArgs, AuditListArgs, AuditVerifyArgs};
pub(crate) use backup::{BackupArgs, RestoreArgs};
pub(crate) use call::{CallArgs, ToolsArgs};
pub(crate) use config::{CheckArgs, ConfigCommand, ShowArgs};
#[cfg(feature = "demo")]
pub(crate) use demo::DemoArgs;
pub(crate) use doctor::DoctorArgs;
pub(crate) use keys::{KeysCommand, KeysListArgs, KeysNewArgs, KeysRotateArgs, KeysVerifyArgs};
pub(crate) use serve::ServeArgs;
pub(crate) use server::{
    AddArgs, AuthArg, GrantArg, ListArgs, RemoveArgs, ServerCommand, SetArgs, SlugArgs,
};
pub(crate) use sign_in::{LoginArgs, StatusArgs};
pub(crate) use store::{StoreCheckArgs, StoreCommand, StoreCopyArgs, StoreMigrateArgs};
pub(crate) use tenant::{TenantCommand, TenantListArgs, TenantRemoveArgs};
pub(crate) use user::{UserArgs, UserCommand};

mod audit;
mod backup;
mod call;
mod config;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod keys;
mod serve;
mod server;
mod sign_in;
mod store;
mod tenant;
mod user;

/// Sign in once; every MCP client reaches every protected MCP server through one address.
#[derive(Debug, Parser)]
#[command(name = "claviger", version, max_term_width = 100)]
#[command(after_help = HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that every command takes.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Global {
    #[arg(help = "Where database, keys and sockets are [env: CLAVIGER_DATA_DIR]")]
    #[arg(long, global = true, value_name = "DIR", help_heading = EVERYWHERE)]
    pub(crate) data_dir: Option<PathBuf>,
    #[arg(help = "The config file [env: CLAVIGER_CONFIG]")]
    #[arg(long, global = true, value_name = "FILE", help_heading = EVERYWHERE)]
    pub(crate) config: Option<PathBuf>,
    /// Say more; twice says even more
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = EVERYWHERE)]
    pub(crate) verbose: u8,
}

/// How data is printed.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Output {
    /// Print one JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show everything at work, on this machine alone
    ///
    /// Starts a protected MCP server with its own authorization server on loopback, puts Claviger
    /// in front of it, signs in, refreshes and calls two tools. Needs no network and leaves
    /// nothing behind.
    #[cfg(feature = "demo")]
    Demo(DemoArgs),
    /// Copy everything into one file, while the server runs
    ///
    /// The file is a SQLite database whatever the backend is, of one instant, mode 600. It gets
    /// its name only when it is whole, on the disk, and a sample of it opened with the key at
    /// hand. The key file is not in it: without it nobody can use the backup, you included.
    Backup(BackupArgs),
    /// Put a backup in place, or say that the copy in place is the live one
    ///
    /// Stop the server first. What is wrong with the backup or the key is said before anything is
    /// changed. A restored copy is held: it serves access tokens that are still valid, but sends
    /// nothing to an issuer until `--confirm-live`, since two copies that refresh the same
    /// credentials end each other's. Every credential is then renewed once; one that was refreshed
    /// after the backup may need a new sign-in, and says so.
    Restore(RestoreArgs),
    /// Run the gateway
    ///
    /// Runs until it is told to stop: Ctrl-C or SIGTERM, a second time stops it at once. The first
    /// start makes the data directory, the database, a key file and a local API token in a file.
    /// Nothing has to be configured.
    Serve(ServeArgs),
    /// Add, list, show, change and remove the MCP servers behind the gateway
    #[command(subcommand)]
    Server(ServerCommand),
    /// Sign in to a server
    ///
    /// Opens the server's sign-in in your browser and waits until you are done. If you are signed
    /// in already, it says so and does nothing.
    Login(LoginArgs),
    /// Sign out of a server: here first, then at its issuer
    ///
    /// Waits a few seconds for the issuer. What it does not confirm is tried again until it does,
    /// by `claviger serve`; `claviger status --revocations` lists it.
    Logout(SlugArgs),
    /// Say how you stand with one server or with all
    ///
    /// A standing is `connected`, `expiring`, `needs_sign_in`, `needs_scopes`, `misconfigured`,
    /// `unreachable`, `never_connected` or `no_sign_in`.
    Status(StatusArgs),
    /// List the tools of a server
    Tools(ToolsArgs),
    /// Call a tool of a server and print what it answers
    Call(CallArgs),
    /// Walk through the discovery of any MCP server's sign-in, step by step
    ///
    /// Tries every place, says what answered, which rule of which RFC fails, which ways to
    /// register there are, and what to do. It is the sign-in itself, single-stepped; it changes
    /// nothing.
    Doctor(DoctorArgs),
    /// Show what was done with credentials, and prove that nobody changed the log
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Check and show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// List, rotate and verify the keys that seal what is stored
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Check, migrate and copy the database
    #[command(subcommand)]
    Store(StoreCommand),
    /// List tenants, and end them with all they have
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// End what users have
    #[command(subcommand)]
    User(UserCommand),
    /// Print the reference of the command line as Markdown
    #[command(hide = true)]
    Docs,
}

const EVERYWHERE: &str = "Options of every command";

const HELP: &str = "\
Examples:
  claviger demo
  claviger server add linear https://mcp.linear.app/mcp
  claviger login linear
  claviger call linear list_issues --arg limit=5
  claviger serve

Exit codes: 0 done, 2 usage, 3 refused or sign-in needed, 4 unreachable, 5 configuration, 70 bug,
75 database busy.";
