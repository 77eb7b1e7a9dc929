//! `claviger logout`: the end here, then the end at the issuer, both reported (K10).

use claviger_admin_api::{Line, LogoutView, Request};

use crate::act::act;
use crate::args::SlugArgs;
use crate::commands::Outcome;
use crate::context::Context;
use crate::exit::Exit;
use crate::printer::Text;

/// Ends the user's credential.
pub(crate) async fn run(args: SlugArgs, ctx: &Context<'_>) -> Outcome {
    let slug = args.slug.as_str();
    let request = Request::Logout {
        slug: slug.to_owned(),
    };
    ctx.with_gateway(async |gateway| {
        act(gateway, request, |line| match line {
            Line::LoggedOut(view) if !ctx.printer.is_json() => report(&view, ctx),
            other => ctx.say(&other),
        })
        .await
    })
    .await
    .map_err(|error| error.about(slug))?;
    Ok(Exit::DONE)
}

/// How the two ends went.
pub(crate) fn report(view: &LogoutView, ctx: &Context<'_>) {
    let here = if view.ended_here {
        let whose = match view.user.as_str() {
            OWNER => "the".to_owned(),
            user => format!("{user}'s"),
        };
        Text::new()
            .good("✓ here")
            .plain(format!("       {whose} credential is gone"))
    } else {
        Text::new()
            .dim("· here")
            .plain("       there was no credential")
    };
    ctx.printer.out(&here);
    let at_issuer = match view.at_issuer.as_str() {
        "revoked" => Text::new().good("✓ at issuer").plain("  revoked"),
        "not_offered" => {
            let why = "  not offered: the issuer has no revocation; its token ends by itself";
            Text::new().warn("! at issuer").plain(why)
        }
        "pending" => Text::new()
            .warn("! at issuer")
            .plain("  pending, tried again until it confirms"),
        "nothing_to_revoke" => Text::new().dim("· at issuer").plain("  nothing to revoke"),
        other => Text::new().bad("✗ at issuer").plain("  ").plain(other),
    };
    let at_issuer = match &view.message {
        Some(message) => at_issuer.plain(": ").plain(message),
        None => at_issuer,
    };
    ctx.printer.out(&at_issuer);
}

/// Whoever has the command line.
const OWNER: &str = "owner";
