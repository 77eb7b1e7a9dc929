//! `claviger store`: the database as a whole.

use claviger_server::upkeep::{Progress, UpkeepError};

use crate::context::Context;
use crate::engine;
use crate::error::CommandError;
use crate::printer::Text;

pub(crate) mod check;
pub(crate) mod copy;
pub(crate) mod migrate;

/// Says how far it has come, to whoever waits.
pub(crate) fn report(progress: &Progress, ctx: &Context<'_>) {
    let Progress {
        server,
        done,
        total,
    } = progress;
    if ctx.is_verbose || done == total || done.is_multiple_of(EVERY) {
        let line = Text::new().dim(format!("  {done} of {total} servers"));
        ctx.printer.talk(&line.plain("  ").plain(server));
    }
}

/// What was not done to a database, and why.
pub(crate) fn not_done(error: &UpkeepError) -> CommandError {
    match error {
        UpkeepError::Open(source) => engine::not_open(source),
        UpkeepError::Changed => engine::of_upkeep("changed_meanwhile", error),
        UpkeepError::Differs { .. } => engine::of_upkeep("copy_differs", error),
        UpkeepError::NotEmpty { .. } => engine::of_upkeep("not_empty", error),
        UpkeepError::Damaged { .. } => engine::of_upkeep("damaged", error),
        UpkeepError::FileExists { .. } => engine::of_upkeep("file_exists", error),
        UpkeepError::NotABackup { .. } => engine::of_upkeep("not_a_backup", error),
        UpkeepError::InUse { .. } => engine::of_upkeep("in_use", error),
        UpkeepError::NotBuiltIn { .. } => engine::of_upkeep("not_built_in", error),
        UpkeepError::NotUnwrapped { .. } => engine::of_upkeep("not_unwrapped", error),
        UpkeepError::Recipient { .. } => engine::of_upkeep("recipient", error),
        UpkeepError::NothingOpens { .. } => engine::of_upkeep("nothing_opens", error),
        UpkeepError::Pending { .. } => engine::of_upkeep("schema_behind", error),
        UpkeepError::Wrapped { .. } => engine::of_upkeep("wrapped", error),
        UpkeepError::Running { .. } | UpkeepError::Serving { .. } => {
            engine::of_upkeep("server_runs", error)
        }
        _ => engine::of_upkeep("store", error),
    }
}

/// A line for each of ten thousand servers would say less than one for every hundredth.
const EVERY: usize = 100;
