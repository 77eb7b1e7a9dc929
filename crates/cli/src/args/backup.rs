//! Words of `claviger backup` and `claviger restore`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::Output;

/// What `backup` takes.
#[derive(Debug, Clone, Args)]
#[command(after_help = BACKUP_HELP)]
pub(crate) struct BackupArgs {
    /// The file to write
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    pub(crate) force: bool,
    /// Wrap the file for an age recipient (age1…); may be given more than once. The build needs
    /// the feature `age`
    #[arg(long, value_name = "RECIPIENT")]
    pub(crate) recipient: Vec<String>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What `restore` takes.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("what").required(true))]
#[command(after_help = RESTORE_HELP)]
pub(crate) struct RestoreArgs {
    /// A file that `claviger backup` wrote
    #[arg(value_name = "FILE", group = "what")]
    pub(crate) file: Option<PathBuf>,
    /// The file, mode 600, with the age identity that a wrapped backup opens with. The build needs
    /// the feature `age`
    #[arg(long, value_name = "FILE", conflicts_with = "confirm_live")]
    pub(crate) identity: Option<PathBuf>,
    /// Move the database that is there aside first
    #[arg(long, conflicts_with = "confirm_live")]
    pub(crate) replace: bool,
    /// The original is gone for good: refresh and sign in from the first start on
    #[arg(long, conflicts_with = "confirm_live")]
    pub(crate) live: bool,
    /// Say that the copy here is the live one, and that no other runs any more
    #[arg(long, group = "what")]
    pub(crate) confirm_live: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

const BACKUP_HELP: &str = "\
Examples:
  claviger backup /backup/claviger-$(date +%F).db
  claviger backup --force /backup/claviger.db --json
  claviger backup --recipient age1… /backup/claviger.db.age";

const RESTORE_HELP: &str = "\
Examples:
  claviger restore /backup/claviger-2026-05-01.db
  claviger restore --confirm-live
  claviger restore --identity /safe/identity /backup/claviger.db.age
  claviger restore --replace --live /backup/claviger-2026-05-01.db";
