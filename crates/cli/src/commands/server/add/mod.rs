//! `claviger server add`.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use claviger_admin_api::{AddServer, Line, Request};
use url::{Host, Url};

use crate::act::act;
use crate::args::{AddArgs, GrantArg};
use crate::commands::Outcome;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::printer::Text;
use crate::secret_file;

/// Adds a server, shows every step of the look at it, and says what was found.
pub(crate) async fn run(args: AddArgs, ctx: &Context<'_>) -> Outcome {
    let allow_private =
        args.allow_private || ask_about_private(args.slug.as_str(), &args.url, ctx)?;
    let slug = args.slug.as_str();
    let read = |path: &Option<_>| path.as_deref().map(secret_file::read).transpose();
    let request = Request::AddServer(Box::new(AddServer {
        slug: slug.to_owned(),
        url: args.url.clone(),
        display_name: args.name.clone(),
        allow_private,
        no_discover: args.no_discover,
        grant: args.grant.map(GrantArg::as_str).map(str::to_owned),
        client_id: args.client_id.clone(),
        client_secret: read(&args.client_secret_file)?,
        private_key: read(&args.private_key_file)?,
        client_metadata_url: args.client_metadata_url.clone(),
        issuer: args.issuer.clone(),
        scopes: args.scopes.clone(),
        headers: headers(&args.headers)?,
    }));
    let mut added = None;
    ctx.with_gateway(async |gateway| {
        act(gateway, request, |line| {
            ctx.say(&line);
            if let Line::Server(view) = line {
                added = Some(view);
            }
        })
        .await
    })
    .await
    .map_err(|error| error.about(slug))?;
    if let Some(view) = added {
        let is_signed_in_by_itself = view.grant.as_deref() == Some("client_credentials");
        let next = if view.sign_in == "no" || view.auth != "oauth" || is_signed_in_by_itself {
            format!("claviger tools {slug}")
        } else {
            format!("claviger login {slug}")
        };
        ctx.next(&next);
    }
    Ok(Exit::DONE)
}

/// Headers as they were given. One with a secret in it belongs in a file: the command line can be
/// seen by every user of the machine, and stays in the shell's history.
pub(super) fn headers(given: &[String]) -> Result<Vec<String>, CommandError> {
    let mut headers = Vec::new();
    for header in given {
        match header.strip_prefix('@') {
            Some(path) => {
                let text = secret_file::read(Path::new(path))?;
                headers.extend(
                    text.lines()
                        .filter(|line| !line.is_empty())
                        .map(str::to_owned),
                );
            }
            None => headers.push(header.clone()),
        }
    }
    Ok(headers)
}

/// A private address is dialled only if the person says so: a URL from somebody else must not make
/// us talk to a machine behind the firewall.
pub(super) fn ask_about_private(
    slug: &str,
    url: &str,
    ctx: &Context<'_>,
) -> Result<bool, CommandError> {
    let Ok(url) = Url::parse(url) else {
        // The gateway says what is wrong with it.
        return Ok(false);
    };
    let Some(host) = url.host().filter(is_private) else {
        return Ok(false);
    };
    let refused = || {
        CommandError::new(
            Exit::REFUSED,
            "private_address",
            format!("{host} is on this machine or in a private network"),
        )
        .with_hint("if you mean it, add --allow-private (it holds for this server's host only)")
        .about(slug)
    };
    if !ctx.person.is_there() {
        return Err(refused());
    }
    let question = Text::new()
        .bold(host.to_string())
        .plain(" is on this machine or in a private network. Allow it for this server? [y/N] ");
    ctx.printer.ask(&question);
    let answer = ctx.person.read_line().ok().flatten().unwrap_or_default();
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(true),
        _ => Err(refused()),
    }
}

/// Whether a host is plainly not on the internet. Only good for asking: `egress` decides by the
/// addresses it gets.
fn is_private<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Ipv4(ip) => is_private_v4(*ip),
        Host::Ipv6(ip) => ip
            .to_ipv4_mapped()
            .map_or_else(|| is_private_v6(*ip), is_private_v4),
        Host::Domain(name) => {
            let name = name.as_ref().trim_end_matches('.');
            let local = ["localhost", "local", "internal", "lan", "home.arpa"];
            !name.contains('.')
                || local.iter().any(|zone| {
                    name.strip_suffix(zone)
                        .is_some_and(|rest| rest.ends_with('.'))
                })
        }
    }
}

fn is_private_v4(ip: Ipv4Addr) -> bool {
    ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified()
}

fn is_private_v6(ip: Ipv6Addr) -> bool {
    ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local()
}

#[cfg(test)]
mod tests;
