//! Words of `claviger store`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

use super::Output;

/// What to do with the database.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Check that everything stored can be read, and that everything sealed opens
    ///
    /// Looks through the pages of a SQLite file, and opens every key, server, registration and
    /// credential with the key file at hand. Nothing secret is shown, no row is changed, and
    /// nothing is migrated.
    Check(StoreCheckArgs),
    /// Copy the database into an empty one, from SQLite to PostgreSQL or back
    ///
    /// Copies wrapped keys, API tokens, servers, registrations, credentials, connections,
    /// revocations that are still owed to issuers, the audit log and the installation's id, and
    /// reads all of it back. Sign-ins in flight and leases are not copied. Stop every
    /// `claviger serve` first: what is stored meanwhile would be missing. The key file goes with
    /// the copy by hand.
    Copy(StoreCopyArgs),
    /// Bring the schema of the database up to date, as its owner, and stop
    Migrate(StoreMigrateArgs),
}

/// What `store check` takes.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct StoreCheckArgs {
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What `store copy` takes.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("to").required(true))]
#[command(after_help = HELP)]
pub(crate) struct StoreCopyArgs {
    /// A new SQLite file
    #[arg(long, value_name = "PATH", group = "to")]
    pub(crate) to_sqlite: Option<PathBuf>,
    /// A file, mode 600, with the URL of an empty PostgreSQL database
    #[arg(long, value_name = "URL-FILE", group = "to")]
    pub(crate) to_postgres: Option<PathBuf>,
    /// Say what would be copied, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What `store migrate` takes.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct StoreMigrateArgs {
    #[command(flatten)]
    pub(crate) output: Output,
}

const HELP: &str = "\
Examples:
  claviger store copy --to-postgres ~/.config/claviger/postgres-url
  CLAVIGER_STORE_URL_FILE=postgres-url claviger store copy --to-sqlite claviger.db";
