//! `claviger status`.

use claviger_admin_api::{Line, Request};

use crate::act::act;
use crate::args::StatusArgs;
use crate::commands::Outcome;
use crate::context::Context;
use crate::exit::Exit;
use crate::printer::Text;
use crate::show;

/// Says how the user stands with one server or with all.
pub(crate) async fn run(args: StatusArgs, ctx: &Context<'_>) -> Outcome {
    if args.revocations {
        return revocations(ctx).await;
    }
    let slug = args.slug.map(String::from);
    let request = Request::Status { slug: slug.clone() };
    let (mut views, mut pending) = (Vec::new(), None);
    let asked = ctx.with_gateway(async |gateway| {
        act(gateway, request, |line| match line {
            Line::Connection(view) => views.push(view),
            Line::PendingRevocations { .. } => pending = Some(line),
            other => ctx.say(&other),
        })
        .await
    });
    asked.await.map_err(|error| match &slug {
        Some(slug) => error.about(slug),
        None => error,
    })?;
    if ctx.printer.is_json() {
        for view in views {
            ctx.printer.json(&Line::Connection(view));
        }
        if let Some(line) = &pending {
            ctx.printer.json(line);
        }
        return Ok(Exit::DONE);
    }
    if views.is_empty() {
        ctx.next("claviger server add NAME URL");
    } else {
        show::connections(ctx.printer, &views);
    }
    if let Some(Line::PendingRevocations { pending }) = pending {
        let line = format!(
            "{} not confirmed by their issuers yet",
            revocations_of(pending)
        );
        ctx.printer
            .out(&Text::new().warn("! revocations").plain("  ").plain(line));
        ctx.next("claviger status --revocations");
    }
    Ok(Exit::DONE)
}

/// What is owed to issuers. The gateway asks again while it runs.
async fn revocations(ctx: &Context<'_>) -> Outcome {
    let mut views = Vec::new();
    let asked = ctx.with_gateway(async |gateway| {
        act(gateway, Request::ListRevocations, |line| match line {
            Line::Revocation(view) if !ctx.printer.is_json() => views.push(view),
            other => ctx.say(&other),
        })
        .await
    });
    asked.await?;
    if views.is_empty() {
        ctx.printer
            .talk(&Text::new().good("✓").plain(" every issuer has confirmed"));
    } else {
        show::revocations(ctx.printer, &views);
    }
    Ok(Exit::DONE)
}

fn revocations_of(count: usize) -> String {
    match count {
        1 => "1 revocation is".to_owned(),
        _ => format!("{count} revocations are"),
    }
}
