//! `claviger tenant remove`.

use claviger_admin_api::{Line, Request, TenantView};
use claviger_server::Gateway;

use crate::act::act;
use crate::args::TenantRemoveArgs;
use crate::commands::{Outcome, logout};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::printer::Text;
use crate::show;

/// Removes a tenant, once somebody said that it shall be.
pub(crate) async fn run(args: TenantRemoveArgs, ctx: &Context<'_>) -> Outcome {
    ctx.with_gateway(async |gateway| {
        if !args.yes {
            confirm(gateway, &args.tenant, ctx).await?;
        }
        let request = Request::RemoveTenant {
            tenant: args.tenant,
        };
        act(gateway, request, |line| match line {
            Line::LoggedOut(view) if !ctx.printer.is_json() => {
                ctx.printer.out(&Text::new().bold(&view.server));
                logout::report(&view, ctx);
            }
            Line::TenantRemoved { .. } if !ctx.printer.is_json() => removed(&line, ctx),
            other => ctx.say(&other),
        })
        .await
    })
    .await?;
    Ok(Exit::DONE)
}

/// Shows what ends with it, and asks. What cannot be removed at all is for the gateway to say.
async fn confirm(
    gateway: &dyn Gateway,
    tenant: &str,
    ctx: &Context<'_>,
) -> Result<(), CommandError> {
    let mut found: Option<TenantView> = None;
    act(gateway, Request::ListTenants, |line| match line {
        Line::Tenant(view) if view.tenant == tenant => found = Some(view),
        _ => {}
    })
    .await?;
    let Some(view) = found.filter(|view| !view.is_default) else {
        return Ok(());
    };
    let refused = || {
        let message = format!("nobody said that the tenant {tenant} shall be removed");
        CommandError::new(Exit::REFUSED, "not_confirmed", message)
            .with_hint("nothing was changed; say --yes if that is what you want")
    };
    if !ctx.person.is_there() {
        return Err(refused());
    }
    let ends = format!(
        " ends for good: {}. Its keys are destroyed with it. Remove it? [y/N] ",
        show::belongings(&view)
    );
    ctx.printer.ask(&Text::new().bold(tenant).plain(ends));
    let answer = ctx.person.read_line().ok().flatten().unwrap_or_default();
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(refused()),
    }
}

fn removed(line: &Line, ctx: &Context<'_>) {
    let Line::TenantRemoved {
        tenant,
        servers,
        connections,
        api_tokens,
        inherited,
        lost,
    } = line
    else {
        return;
    };
    let what = format!(
        " {tenant}: {servers} servers, {connections} connections, {api_tokens} API tokens, every key"
    );
    ctx.printer.talk(&Text::new().good("✓ removed").plain(what));
    if *inherited > 0 {
        let what = format!("  {inherited} from before, which the default tenant owes now");
        ctx.printer
            .talk(&Text::new().warn("! revocations").plain(what));
        ctx.next("claviger status --revocations");
    }
    if *lost > 0 {
        let what = format!("  {lost} from before could not be opened, and were dropped");
        ctx.printer
            .talk(&Text::new().bad("✗ revocations").plain(what));
    }
}
