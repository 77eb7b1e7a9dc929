//! `claviger store copy`: the database into an empty one, verified.

use claviger_server::upkeep::{self, Copied, CopyTo, Progress};
use serde_json::json;

use super::{not_done, report};
use crate::args::StoreCopyArgs;
use crate::commands::Outcome;
use crate::context::Context;
use crate::exit::Exit;
use crate::printer::Text;

/// Copies, or says what would be copied.
pub(crate) async fn run(args: StoreCopyArgs, ctx: &Context<'_>) -> Outcome {
    let to = match (args.to_sqlite, args.to_postgres) {
        (Some(path), _) => CopyTo::Sqlite(path),
        (None, Some(path)) => CopyTo::Postgres(path),
        // The words of the command line ask for one of them.
        (None, None) => return Ok(Exit::USAGE),
    };
    let mut on_progress = |progress: &Progress| report(progress, ctx);
    let copying = upkeep::copy(&ctx.config, &to, args.dry_run, &mut on_progress);
    let copying = Box::pin(copying);
    let copied = copying.await.map_err(|error| not_done(&error))?;
    if ctx.printer.is_json() {
        ctx.printer.json(&json!({ "copied": copied }));
    } else {
        say(&copied, ctx);
    }
    let left = "sign-ins in flight are not copied; whoever is in the middle of one begins anew";
    ctx.printer.talk(&Text::new().dim("  ").plain(left));
    if !args.dry_run {
        ctx.next(&match to {
            CopyTo::Postgres(path) => format!(
                "set url_file = \"{}\" in [store]; every node needs this data directory's key file",
                path.display()
            ),
            CopyTo::Sqlite(path) => format!(
                "put {} as claviger.db beside this data directory's key file",
                path.display()
            ),
        });
    }
    Ok(Exit::DONE)
}

fn say(copied: &Copied, ctx: &Context<'_>) {
    let head = if copied.is_dry_run {
        Text::new().bold("would copy")
    } else {
        Text::new().good("✓ copied and read back")
    };
    let counts = format!(
        ": {} keys, {} API tokens, {} servers, {} registrations, {} credentials, {} connections, \
         {} owed revocations, {} audit entries",
        copied.keys,
        copied.api_tokens,
        copied.servers,
        copied.registrations,
        copied.credentials,
        copied.connections,
        copied.revocations,
        copied.audit_entries
    );
    ctx.printer.out(&head.plain(counts));
    for (name, place) in [("from", &copied.from), ("to", &copied.to)] {
        let line = Text::new().dim(format!("  {name:<5}"));
        ctx.printer.talk(&line.plain(place));
    }
}
