//! `claviger user`.

use claviger_admin_api::{Line, Request};

use crate::act::act;
use crate::args::UserArgs;
use crate::commands::{Outcome, logout};
use crate::context::Context;
use crate::exit::Exit;
use crate::printer::Text;

/// Ends everything a user has, and says what the issuers made of it.
pub(crate) async fn remove(args: UserArgs, ctx: &Context<'_>) -> Outcome {
    let request = Request::RemoveUser { user: args.user };
    ctx.with_gateway(async |gateway| {
        act(gateway, request, |line| match line {
            Line::LoggedOut(view) if !ctx.printer.is_json() => {
                ctx.printer.out(&Text::new().bold(&view.server));
                logout::report(&view, ctx);
            }
            Line::UserRemoved {
                user,
                connections,
                sign_ins,
                api_tokens,
            } if !ctx.printer.is_json() => {
                let what = format!(
                    " {user}: {connections} connections, {sign_ins} sign-ins, {api_tokens} API tokens"
                );
                ctx.printer
                    .talk(&Text::new().good("✓ removed").plain(what));
            }
            other => ctx.say(&other),
        })
        .await
    })
    .await?;
    Ok(Exit::DONE)
}
