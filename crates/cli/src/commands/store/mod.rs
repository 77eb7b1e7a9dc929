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
fn report(progress: &Progress, ctx: &Context<'_>) {
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

fn not_done(error: &UpkeepError) -> CommandError {
    match error {
        UpkeepError::Open(source) => engine::not_open(source),
        UpkeepError::Changed => engine::of_upkeep("changed_meanwhile", error),
        UpkeepError::Differs { .. } => engine::of_upkeep("copy_differs", error),
        UpkeepError::NotEmpty { .. } => engine::of_upkeep("not_empty", error),
        UpkeepError::Serving { .. } => engine::of_upkeep("server_runs", error),
        _ => engine::of_upkeep("store", error),
    }
}

/// A line for each of ten thousand servers would say less than one for every hundredth.
const EVERY: usize = 100;
