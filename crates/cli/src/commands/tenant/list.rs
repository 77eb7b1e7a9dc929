//! `claviger tenant list`.

use claviger_admin_api::{Line, Request};

use crate::act::act;
use crate::args::TenantListArgs;
use crate::commands::Outcome;
use crate::context::Context;
use crate::exit::Exit;
use crate::show;

/// Lists tenants.
pub(crate) async fn run(_args: TenantListArgs, ctx: &Context<'_>) -> Outcome {
    let mut views = Vec::new();
    let asked = ctx.with_gateway(async |gateway| {
        act(gateway, Request::ListTenants, |line| match line {
            Line::Tenant(view) if !ctx.printer.is_json() => views.push(view),
            other => ctx.say(&other),
        })
        .await
    });
    asked.await?;
    if !views.is_empty() {
        show::tenants(ctx.printer, &views);
    }
    Ok(Exit::DONE)
}
