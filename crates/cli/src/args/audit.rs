//! Words of `claviger audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Output;
use crate::instant::Instant;

/// What to do with the audit log.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Show what was done, newest last
    List(AuditListArgs),
    /// Prove that nobody changed the log
    ///
    /// Reads every chain and says for each problem the chain, the number and the kind: an entry
    /// that was changed, entries that are missing, out of order, or cut off below a checkpoint.
    /// Ends with exit code 3 if there is any. What it cannot prove: that the end of a chain that no
    /// checkpoint names yet (about the last minute) is whole, and that the database was not set
    /// back as a whole; for that compare with an earlier export by `--against`.
    #[command(after_help = VERIFY)]
    Verify(AuditVerifyArgs),
    /// Write every entry as a line of JSON, with its MAC
    ///
    /// What is written can be verified later, and compared with: see `claviger audit verify`. The keys
    /// that takes stand at its head, wrapped: they are of no use without the key file.
    Export(AuditExportArgs),
}

/// What `audit list` takes.
#[derive(Debug, Clone, Args)]
#[command(after_help = LIST)]
pub(crate) struct AuditListArgs {
    /// Not before: `24h`, `7d`, `2026-11-21` or `2026-11-21T14:00:00Z`
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<Instant>,
    /// Before
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<Instant>,
    /// By whom, such as `user:owner` or `system`
    #[arg(long)]
    pub(crate) actor: Option<String>,
    /// What, such as `credential.refresh`, or `credential` for all of its kind
    #[arg(long)]
    pub(crate) act: Option<String>,
    /// About what, such as a server's name
    #[arg(long, visible_alias = "server", value_name = "NAME")]
    pub(crate) object: Option<String>,
    /// At most so many, the newest
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What `audit verify` takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct AuditVerifyArgs {
    /// Verify this export instead of the database
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// The key file the export was made with, where the installation is not at hand
    ///
    /// An export holds the keys of its chains, wrapped: with the key file it is proved on any machine.
    #[arg(long, value_name = "FILE", requires = "file")]
    pub(crate) key_file: Option<PathBuf>,
    /// Look at numbers and order alone, which takes no key and proves nothing against forgery
    #[arg(long, requires = "file", conflicts_with = "key_file")]
    pub(crate) order_only: bool,
    /// An earlier export whose entries have to be there still
    #[arg(long, value_name = "FILE")]
    pub(crate) against: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What `audit export` takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct AuditExportArgs {
    /// Not before: `24h`, `7d`, `2026-11-21` or `2026-11-21T14:00:00Z`
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<Instant>,
    /// Where to; stdout if absent. A file that is there is not overwritten
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

const LIST: &str = "\
Examples:
  claviger audit list --server linear --since 24h
  claviger audit list --act credential.end --json";

const VERIFY: &str = "\
Examples:
  claviger audit verify
  claviger audit verify --against last-week.jsonl
  claviger audit verify --file last-week.jsonl
  claviger audit verify --file last-week.jsonl --key-file /safe/key";
