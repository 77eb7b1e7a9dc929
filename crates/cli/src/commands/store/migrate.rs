//! `claviger store migrate`: the schema as this version wants it.

use claviger_server::upkeep;
use serde_json::json;

use super::not_done;
use crate::args::StoreMigrateArgs;
use crate::commands::Outcome;
use crate::context::Context;
use crate::exit::Exit;
use crate::printer::Text;

/// Migrates, and stops.
pub(crate) async fn run(_args: StoreMigrateArgs, ctx: &Context<'_>) -> Outcome {
    let migrated = upkeep::migrate(&ctx.config).await;
    let database = migrated.map_err(|error| not_done(&error))?.database;
    if ctx.printer.is_json() {
        ctx.printer
            .json(&json!({ "ok": true, "database": database }));
    } else {
        let line = Text::new().good("✓ up to date").plain(": ");
        ctx.printer.out(&line.plain(database));
    }
    Ok(Exit::DONE)
}
