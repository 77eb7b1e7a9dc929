//! `claviger backup`: everything as it is at one instant, in one file.

use claviger_server::upkeep::{self, BackedUp, BackupHow, Contents, Progress};
use serde_json::json;

use super::store::{not_done, report};
use crate::args::BackupArgs;
use crate::commands::Outcome;
use crate::context::Context;
use crate::exit::Exit;
use crate::printer::Text;

/// Makes a backup, and says what is in it and what is not.
pub(crate) async fn run(args: BackupArgs, ctx: &Context<'_>) -> Outcome {
    let mut on_progress = |progress: &Progress| report(progress, ctx);
    let how = BackupHow {
        may_replace: args.force,
        recipients: args.recipient,
    };
    let backing = upkeep::backup(&ctx.config, &args.file, &how, &mut on_progress);
    let made = Box::pin(backing).await.map_err(|error| not_done(&error))?;
    if ctx.printer.is_json() {
        ctx.printer.json(&json!({ "backup": made }));
    } else {
        say(&made, ctx);
    }
    broken(&made.contents, ctx);
    if !made.is_recorded {
        let why = "! the audit log does not say that this backup was made: its schema is an older \
                   one, or it took no entry (see the log)";
        ctx.printer.talk(&Text::line(why));
    }
    let keep = "The key file is NOT in it, and it opens with nothing else: keep a copy of the key \
                file apart from the backups.";
    ctx.printer.talk(&Text::line(keep));
    Ok(Exit::DONE)
}

fn say(made: &BackedUp, ctx: &Context<'_>) {
    let file = made.file.display().to_string();
    let head = Text::new().good("✓ backed up and tried").plain(": ");
    ctx.printer.out(&head.bold(file));
    ctx.printer
        .out(&Text::new().plain("  ").plain(counts(&made.contents)));
    for (name, text) in [
        ("from", made.from.clone()),
        (
            "size",
            format!("{} bytes, schema {}", made.bytes, made.schema),
        ),
        ("cluster", cluster(&made.contents)),
        ("key id", made.contents.kek_ids.join(", ")),
    ] {
        let line = Text::new().dim(format!("  {name:<8} "));
        ctx.printer.talk(&line.plain(text));
    }
}

/// What is in it, in one line.
pub(crate) fn counts(contents: &Contents) -> String {
    format!(
        "{} tenants, {} keys, {} API tokens, {} servers, {} registrations, {} credentials, {} \
         connections, {} owed revocations; {} sealed records were opened",
        contents.tenants,
        contents.keys,
        contents.api_tokens,
        contents.servers,
        contents.registrations,
        contents.credentials,
        contents.connections,
        contents.revocations,
        contents.opened
    )
}

/// What of it does not open: it is in the backup as it was.
pub(crate) fn broken(contents: &Contents, ctx: &Context<'_>) {
    for one in &contents.broken {
        let line = Text::new().bad("! ").bold(&one.server).plain(": ");
        let line = line.plain(&one.what).plain(" does not open: ");
        ctx.printer.talk(&line.plain(&one.why));
    }
}

fn cluster(contents: &Contents) -> String {
    let id = contents.cluster_id.as_deref().unwrap_or("none yet");
    format!("{id}, restored {} times", contents.restore_epoch)
}
