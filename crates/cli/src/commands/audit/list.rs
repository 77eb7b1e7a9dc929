//! `claviger audit list`.

use claviger_model::{AuditEntry, AuditFilter};
use claviger_ports::Clock;
use claviger_ports::system::SystemClock;
use claviger_server::upkeep;

use super::{not_done, shown};
use crate::args::AuditListArgs;
use crate::commands::Outcome;
use crate::context::Context;
use crate::exit::Exit;
use crate::printer::Text;
use crate::show;

/// Lists entries, one row each.
pub(crate) async fn run(args: AuditListArgs, ctx: &Context<'_>) -> Outcome {
    let now = SystemClock.now();
    let filter = AuditFilter {
        actor: args.actor,
        act: args.act,
        object: args.object,
        since: args.since.map(|since| since.counted_from(now)),
        until: args.until.map(|until| until.counted_from(now)),
        limit: args.limit,
        ..AuditFilter::default()
    };
    let mut entries = upkeep::audit_list(&ctx.config, &filter)
        .await
        .map_err(|error| not_done(&error))?;
    entries.reverse();
    if ctx.printer.is_json() {
        for entry in &entries {
            ctx.printer.json(&shown(entry));
        }
        return Ok(Exit::DONE);
    }
    if entries.is_empty() {
        ctx.printer.talk(&Text::line("nothing of that is recorded"));
        return Ok(Exit::DONE);
    }
    let head = ["WHEN", "WHO", "ACT", "WHAT", "OUTCOME"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(entries.iter().map(row));
    show::table(ctx.printer, &rows);
    if entries.len() == usize::try_from(args.limit).unwrap_or(usize::MAX) {
        let more = "there may be more; see `--limit` and `--until`";
        ctx.printer.talk(&Text::new().dim(more));
    }
    Ok(Exit::DONE)
}

fn row(entry: &AuditEntry) -> Vec<String> {
    let outcome = if entry.count > 1 {
        format!("{} ×{}", entry.outcome, entry.count)
    } else {
        entry.outcome.clone()
    };
    vec![
        entry.at.to_string(),
        entry.actor.clone(),
        entry.act.clone(),
        entry.object.clone(),
        outcome,
    ]
}
