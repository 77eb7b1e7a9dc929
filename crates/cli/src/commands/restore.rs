//! `claviger restore`: a backup becomes the installation, or is called the live one.

use std::path::Path;

use claviger_server::upkeep::{self, Progress, RestoreHow, RestoredTo};
use serde_json::json;

use super::backup::{broken, counts};
use super::store::{not_done, report};
use crate::args::RestoreArgs;
use crate::commands::Outcome;
use crate::context::Context;
use crate::exit::Exit;
use crate::printer::Text;

/// Restores, or confirms.
pub(crate) async fn run(args: RestoreArgs, ctx: &Context<'_>) -> Outcome {
    let how = RestoreHow {
        is_live: args.live,
        may_replace: args.replace,
        opens_with: args.identity,
    };
    match args.file {
        Some(file) => restore(&file, &how, ctx).await,
        None => confirm(ctx).await,
    }
}

async fn restore(file: &Path, how: &RestoreHow, ctx: &Context<'_>) -> Outcome {
    let mut on_progress = |progress: &Progress| report(progress, ctx);
    let restoring = upkeep::restore(&ctx.config, file, how, &mut on_progress);
    let done = Box::pin(restoring)
        .await
        .map_err(|error| not_done(&error))?;
    if ctx.printer.is_json() {
        ctx.printer.json(&json!({ "restored": done }));
    } else {
        say(&done, ctx);
    }
    broken(&done.contents, ctx);
    let lost = "API tokens made after the backup are gone, and those ended after it work again; \
                what was refreshed after it may need a new sign-in.";
    ctx.printer.talk(&Text::line(lost));
    if done.is_held {
        let held = "It is held: it serves what is still valid, and refreshes nothing.";
        ctx.printer.talk(&Text::new().bad("! ").plain(held));
        ctx.next("claviger restore --confirm-live, once the original is gone for good");
    } else {
        ctx.next("claviger serve");
    }
    Ok(Exit::DONE)
}

fn say(done: &RestoredTo, ctx: &Context<'_>) {
    let head = Text::new().good("✓ restored").plain(" to ");
    ctx.printer.out(&head.bold(&done.to));
    ctx.printer
        .out(&Text::new().plain("  ").plain(counts(&done.contents)));
    if let Some(place) = &done.moved_aside {
        let line = Text::new().dim("  what was there is now ");
        ctx.printer.talk(&line.plain(place));
    }
}

async fn confirm(ctx: &Context<'_>) -> Outcome {
    let confirming = upkeep::confirm_live(&ctx.config);
    let done = Box::pin(confirming)
        .await
        .map_err(|error| not_done(&error))?;
    if ctx.printer.is_json() {
        ctx.printer.json(&json!({ "confirmed": done }));
        return Ok(Exit::DONE);
    }
    let text = if done.was_held {
        " is the live one now: it refreshes and signs in"
    } else {
        " is the live one, and was not held"
    };
    let line = Text::new().good("✓ ").bold(&done.database).plain(text);
    ctx.printer.out(&line);
    Ok(Exit::DONE)
}
