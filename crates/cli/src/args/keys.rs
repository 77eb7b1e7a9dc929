//! Words of `claviger keys`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Output;

/// What to do with the keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// List the keys by id: what wraps them, how much they seal, when they were made
    List(KeysListArgs),
    /// Make a new key file, to follow the one in use
    ///
    /// Name it with `keys.file` and the one before with `keys.old_files`, on every node; start them
    /// anew; then run `claviger keys rotate --kek`.
    New(KeysNewArgs),
    /// Make new keys and seal everything anew with them, while everything runs
    ///
    /// Every tenant, the journal and the audit log get a new key; every stored secret is sealed
    /// anew. Whatever breaks it off, nothing is lost: run it again, and it goes on where it was.
    Rotate(KeysRotateArgs),
    /// Prove that the keys, and what they seal, open
    ///
    /// Nothing secret is shown. One line for each thing that does not open, and exit code 70.
    Verify(KeysVerifyArgs),
}

/// What `keys list` takes.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct KeysListArgs {
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What `keys new` takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct KeysNewArgs {
    /// Where to; there must be nothing yet
    #[arg(value_name = "FILE")]
    pub(crate) path: PathBuf,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What `keys rotate` takes.
#[derive(Debug, Clone, Copy, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
#[command(after_help = HELP)]
pub(crate) struct KeysRotateArgs {
    /// Wrap every key with the first key file, and do nothing else; no secret is opened
    #[arg(long, conflicts_with = "drop_old")]
    pub(crate) kek: bool,
    /// Delete older keys that nothing is sealed with any more
    #[arg(long)]
    pub(crate) drop_old: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What `keys verify` takes.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct KeysVerifyArgs {
    /// Open everything instead of a sample
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

const HELP: &str = "\
Examples:
  claviger keys rotate --dry-run
  claviger keys rotate --drop-old
  claviger keys rotate --kek";
