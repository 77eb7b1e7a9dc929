//! `claviger server list`.

use claviger_admin_api::{Line, Request};

use crate::act::act;
use crate::args::ListArgs;
use crate::commands::Outcome;
use crate::context::Context;
use crate::exit::Exit;
use crate::show;

/// Lists the servers, one row each.
pub(crate) async fn run(_args: ListArgs, ctx: &Context<'_>) -> Outcome {
    let mut servers = Vec::new();
    ctx.with_gateway(async |gateway| {
        act(gateway, Request::ListServers, |line| match line {
            Line::Server(view) => servers.push(view),
            other => ctx.say(&other),
        })
        .await
    })
    .await?;
    if ctx.printer.is_json() {
        for view in servers {
            ctx.printer.json(&Line::Server(view));
        }
        return Ok(Exit::DONE);
    }
    if servers.is_empty() {
        ctx.next("claviger server add NAME URL");
        return Ok(Exit::DONE);
    }
    let mut rows = vec![["SERVER", "SIGN-IN", "URL"].map(str::to_owned).to_vec()];
    rows.extend(
        servers
            .into_iter()
            .map(|view| vec![view.slug, view.sign_in, view.url]),
    );
    show::table(ctx.printer, &rows);
    Ok(Exit::DONE)
}
