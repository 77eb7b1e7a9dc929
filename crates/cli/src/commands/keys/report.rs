//! Work on keys as it goes on: talk on stderr, what came of it on stdout.

use claviger_admin_api::{KeyProgress, KeyStep, KeySummary, Line, Request};

use crate::act::act;
use crate::commands::Outcome;
use crate::context::Context;
use crate::exit::Exit;
use crate::printer::Text;

/// Asks for it and reports.
pub(super) async fn run(request: Request, ctx: &Context<'_>) -> Outcome {
    ctx.with_gateway(async |gateway| act(gateway, request, |line| say(&line, ctx)).await)
        .await?;
    Ok(Exit::DONE)
}

fn say(line: &Line, ctx: &Context<'_>) {
    if ctx.printer.is_json() {
        ctx.printer.json(line);
        return;
    }
    match line {
        Line::KeyProgress(progress) => ctx.printer.talk(&progressing(progress)),
        Line::KeyStep(step) => ctx.printer.talk(&stepping(step)),
        Line::KeySummary(summary) => ctx.printer.out(&summed(summary)),
        other => ctx.say(other),
    }
}

fn progressing(progress: &KeyProgress) -> Text {
    let KeyProgress {
        tenant,
        done,
        total,
        per_second,
    } = progress;
    let text = match total {
        Some(total) => format!("  {tenant}: {done} of {total} rows"),
        None => format!("  {tenant}: {done} rows"),
    };
    Text::new()
        .dim(text)
        .dim(format!(", {per_second} a second"))
}

fn stepping(step: &KeyStep) -> Text {
    match &step.why {
        Some(why) => {
            let text = Text::new().bad("✗ ").plain(&step.what);
            text.plain(" does not open: ").plain(why)
        }
        None => Text::new()
            .dim(format!("  {} ", step.step))
            .plain(&step.what),
    }
}

fn summed(summary: &KeySummary) -> Text {
    let counts = [
        (summary.renewed, "keys made"),
        (summary.resealed, "rows sealed anew"),
        (summary.rewrapped, "keys wrapped anew"),
        (summary.dropped, "keys deleted"),
        (summary.opened, "rows opened"),
        (summary.broken, "broken"),
    ];
    let counts: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let text = match (summary.dry_run, summary.broken) {
        (true, _) => Text::new().warn("· would be done: "),
        (false, 0) => Text::new().good("✓ done: "),
        (false, _) => Text::new().bad("✗ done, but for what is broken: "),
    };
    if counts.is_empty() {
        return text.plain("nothing to do");
    }
    text.plain(counts.join(", "))
}
