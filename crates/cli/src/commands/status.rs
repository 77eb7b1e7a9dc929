//! `claviger status`.

use claviger_admin_api::{Line, Request};

use crate::act::act;
use crate::args::StatusArgs;
use crate::commands::Outcome;
use crate::context::Context;
use crate::exit::Exit;
use crate::show;

/// Says how the user stands with one server or with all.
pub(crate) async fn run(args: StatusArgs, ctx: &Context<'_>) -> Outcome {
    let slug = args.slug.map(String::from);
    let request = Request::Status { slug: slug.clone() };
    let mut views = Vec::new();
    let asked = ctx.with_gateway(async |gateway| {
        act(gateway, request, |line| match line {
            Line::Connection(view) => views.push(view),
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
    } else if views.is_empty() {
        ctx.next("claviger server add NAME URL");
    } else {
        show::connections(ctx.printer, &views);
    }
    Ok(Exit::DONE)
}
