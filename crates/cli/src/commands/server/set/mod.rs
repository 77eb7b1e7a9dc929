//! `claviger server set`.

use claviger_admin_api::{Line, Request, SetServer};

use super::add::{ask_about_private, headers};
use crate::act::act;
use crate::args::{AuthArg, GrantArg, SetArgs};
use crate::commands::{Outcome, logout};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::secret_file;

/// Changes a server, and says which connections ended with the old settings.
pub(crate) async fn run(args: SetArgs, ctx: &Context<'_>) -> Outcome {
    let slug = args.slug.to_string();
    let request = Request::SetServer(Box::new(request(args, ctx)?));
    let mut has_ended = false;
    ctx.with_gateway(async |gateway| {
        act(gateway, request, |line| match line {
            Line::LoggedOut(view) if !ctx.printer.is_json() => {
                has_ended = true;
                logout::report(&view, ctx);
            }
            other => ctx.say(&other),
        })
        .await
    })
    .await
    .map_err(|error| error.about(&slug))?;
    if has_ended {
        ctx.next(&format!("claviger login {slug}"));
    }
    Ok(Exit::DONE)
}

fn request(args: SetArgs, ctx: &Context<'_>) -> Result<SetServer, CommandError> {
    let read = |path: &Option<_>| path.as_deref().map(secret_file::read).transpose();
    let switch = |on, off| match (on, off) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    let slug = args.slug.as_str();
    let mut allow_private = switch(args.allow_private, args.no_allow_private);
    if let (Some(url), None) = (&args.url, allow_private)
        && ask_about_private(slug, url, ctx)?
    {
        allow_private = Some(true);
    }
    Ok(SetServer {
        slug: slug.to_owned(),
        client_secret: read(&args.client_secret_file)?,
        private_key: read(&args.private_key_file)?,
        headers: headers(&args.headers)?,
        url: args.url,
        display_name: args.name,
        allow_private,
        enabled: switch(args.enable, args.disable),
        no_discover: args.no_discover,
        auth: args.auth.map(AuthArg::as_str).map(str::to_owned),
        grant: args.grant.map(GrantArg::as_str).map(str::to_owned),
        client_id: args.client_id,
        client_metadata_url: args.client_metadata_url,
        no_client: args.no_client,
        issuer: args.issuer,
        no_issuer: args.no_issuer,
        scopes: args.scopes,
        no_scopes: args.no_scope,
        yes: args.yes,
    })
}

#[cfg(test)]
mod tests;
