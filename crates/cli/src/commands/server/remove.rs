//! `claviger server remove`.

use claviger_admin_api::{Line, Request};
use serde_json::json;

use crate::act::act;
use crate::args::RemoveArgs;
use crate::commands::{Outcome, logout};
use crate::context::Context;
use crate::exit::Exit;
use crate::printer::Text;

/// Removes a server and everything that hangs on it.
pub(crate) async fn run(args: RemoveArgs, ctx: &Context<'_>) -> Outcome {
    let slug = args.slug.as_str();
    let request = Request::RemoveServer {
        slug: slug.to_owned(),
        yes: args.yes,
    };
    ctx.with_gateway(async |gateway| {
        act(gateway, request, |line| match line {
            // A grant that lives on at the issuer is worth a line; one that never was is not.
            Line::LoggedOut(view) if !ctx.printer.is_json() => {
                if view.ended_here {
                    logout::report(&view, ctx);
                }
            }
            other => ctx.say(&other),
        })
        .await
    })
    .await
    .map_err(|error| error.about(slug))?;
    if ctx.printer.is_json() {
        ctx.printer.json(&json!({ "removed": slug }));
    } else {
        ctx.printer
            .talk(&Text::new().good("✓ removed").plain(" ").plain(slug));
    }
    Ok(Exit::DONE)
}
