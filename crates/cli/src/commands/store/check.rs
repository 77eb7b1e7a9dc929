//! `claviger store check`: everything can be read, and everything sealed opens.

use claviger_server::upkeep::{self, Checked, Progress};
use serde_json::json;

use super::{not_done, report};
use crate::args::StoreCheckArgs;
use crate::commands::Outcome;
use crate::context::Context;
use crate::exit::Exit;
use crate::printer::Text;

/// Checks, and is done only if nothing is broken.
pub(crate) async fn run(_args: StoreCheckArgs, ctx: &Context<'_>) -> Outcome {
    let mut on_progress = |progress: &Progress| report(progress, ctx);
    let checking = Box::pin(upkeep::check(&ctx.config, &mut on_progress));
    let checked = checking.await.map_err(|error| not_done(&error))?;
    let is_well = checked.broken.is_empty() && checked.damage.is_empty();
    if ctx.printer.is_json() {
        ctx.printer
            .json(&json!({ "ok": is_well, "checked": checked }));
    } else {
        say(&checked, ctx);
    }
    Ok(if is_well { Exit::DONE } else { Exit::BUG })
}

fn say(checked: &Checked, ctx: &Context<'_>) {
    for damage in &checked.damage {
        let line = Text::new().bad("✗ ").plain("the file is damaged: ");
        ctx.printer.out(&line.plain(damage));
    }
    for broken in &checked.broken {
        let line = Text::new().bad("✗ ").bold(&broken.server).plain(": ");
        let line = line.plain(&broken.what).plain(" does not open: ");
        ctx.printer.out(&line.plain(&broken.why));
    }
    let counts = format!(
        "{} keys, {} API tokens, {} servers, {} registrations, {} credentials, {} connections, \
         {} owed revocations",
        checked.keys,
        checked.api_tokens,
        checked.servers,
        checked.registrations,
        checked.credentials,
        checked.connections,
        checked.revocations
    );
    let head = if checked.broken.is_empty() && checked.damage.is_empty() {
        Text::new().good("✓ all opens").plain(": ")
    } else {
        Text::new().bad("✗ not all opens").plain(", of ")
    };
    ctx.printer.out(&head.plain(counts));
    ctx.printer
        .talk(&Text::new().dim("  in ").plain(&checked.database));
}
