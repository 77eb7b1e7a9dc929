//! Whether what an issuer publishes about itself may be used.
//!
//! A018 wants endpoints on the issuer's own origin. Real issuers put some of them on another host
//! of theirs, so two shapes are taken and noted: the token endpoint alone elsewhere (Google), and
//! authorization page and token endpoint together elsewhere (Cognito). Never taken without an entry
//! in the quirk file is an authorization page whose code would go to somebody else: with an honest
//! page, an honest registration endpoint and a token endpoint of its own, a hostile issuer would be
//! handed the code, the verifier and the client of an honest one. For the same reason a client is
//! registered only with the issuer itself or where its tokens come from.

use claviger_model::Grant;
use claviger_ports::Reach;
use claviger_wire::{Deviation, IssuerMetadata, is_loopback, parse_web_url, same_origin};
use url::Url;

use super::error::shown;
use super::{Discover, DiscoverError};
use crate::event::{Event, EventOutcome, Stage};
use crate::machine::Io;

/// Whose registration endpoint an issuer names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Registers {
    /// Somebody else's: a client made there would be theirs, and is not made.
    Elsewhere,
    /// Its own, or none.
    Here,
}

pub(super) fn check(
    io: &Io,
    input: &Discover,
    metadata: IssuerMetadata,
    deviations: &mut Vec<Deviation>,
) -> Result<IssuerMetadata, DiscoverError> {
    let mut own = Vec::new();
    let place = metadata.token_endpoint.clone();
    let checked = check_all(input, metadata, &mut own);
    let event = Event::new(Stage::Endpoints, "C-42, C-69, A018 (RFC 8414 §2)").at_place(&place);
    io.tell(match &checked {
        Ok(_) => event.deviations(&own),
        Err(error) => event
            .outcome(EventOutcome::Refused)
            .note(error.to_string())
            .deviations(&own),
    });
    deviations.append(&mut own);
    checked
}

fn check_all(
    input: &Discover,
    mut metadata: IssuerMetadata,
    deviations: &mut Vec<Deviation>,
) -> Result<IssuerMetadata, DiscoverError> {
    let issuer = shown(&metadata.issuer);
    let bad = |which, why| DiscoverError::Endpoint {
        issuer: issuer.clone(),
        which,
        why,
    };
    let token = admit(&metadata.token_endpoint, &input.reach)
        .ok_or_else(|| bad("token", "it is neither https nor on this machine"))?;
    let authorization = match &metadata.authorization_endpoint {
        // C-71: the page is opened in a browser, which knows nothing of hosts the operator opened.
        Some(text) => Some(
            admit(text, &Reach::public())
                .ok_or_else(|| bad("authorization", "it is neither https nor on this machine"))?,
        ),
        None => None,
    };
    if input.grant == Grant::AuthorizationCode {
        if authorization.is_none() {
            return Err(bad("authorization", "the issuer has none"));
        }
        check_s256(input, &metadata, deviations)?;
    }
    let registers = check_origins(input, &metadata, &token, authorization.as_ref(), deviations)
        .map_err(|why| bad("authorization", why))?;
    if registers == Registers::Elsewhere {
        metadata.registration_endpoint = None;
    }
    for (field, slot) in [
        ("registration_endpoint", &mut metadata.registration_endpoint),
        ("revocation_endpoint", &mut metadata.revocation_endpoint),
    ] {
        if slot
            .as_ref()
            .is_some_and(|text| admit(text, &input.reach).is_none())
        {
            *slot = None;
            deviations.push(Deviation::of("C-69", "plain http, not used", field));
        }
    }
    Ok(metadata)
}

/// C-42, A020: a list without S256 is a no; no list is a no as well, but for issuers that the
/// quirk file knows to do it all the same (Q32). `plain` is never used.
fn check_s256(
    input: &Discover,
    metadata: &IssuerMetadata,
    deviations: &mut Vec<Deviation>,
) -> Result<(), DiscoverError> {
    let listed = metadata.code_challenge_methods_supported.as_ref();
    let offered = match listed {
        Some(list) => list.iter().any(|one| one == "S256"),
        None => input.quirks.of(&metadata.issuer).s256_unadvertised,
    };
    if !offered {
        return Err(DiscoverError::NoS256 {
            issuer: shown(&metadata.issuer),
        });
    }
    if listed.is_none() {
        deviations.push(Deviation::new("Q32", "S256 is not advertised"));
    }
    Ok(())
}

fn check_origins(
    input: &Discover,
    metadata: &IssuerMetadata,
    token: &Url,
    authorization: Option<&Url>,
    deviations: &mut Vec<Deviation>,
) -> Result<Registers, &'static str> {
    let Ok(issuer) = parse_web_url(&metadata.issuer) else {
        // Only an alias of the quirk file can be no URL, and whoever wrote it answers for it.
        return Ok(Registers::Here);
    };
    let quirk = input.quirks.of(&metadata.issuer);
    // The operator answers for a private host: its ports and schemes are one party.
    let opened = issuer
        .host_str()
        .filter(|host| input.reach.allows_private(host));
    let known = |url: &Url| {
        same_origin(url, &issuer)
            || (opened.is_some() && url.host_str() == opened)
            || (url.scheme() == "https"
                && url
                    .host_str()
                    .is_some_and(|host| quirk.allows_endpoint_host(host)))
    };
    let with_token = |url: &Url| known(url) || (!known(token) && same_origin(url, token));
    if !known(token) {
        deviations.push(foreign("token_endpoint"));
    }
    if let Some(url) = authorization.filter(|url| !known(url)) {
        if !with_token(url) {
            return Err(
                "the authorization page is on another origin than issuer and token endpoint; \
                 list its host as endpoint_hosts in the quirk file if they belong together",
            );
        }
        deviations.push(foreign("authorization_endpoint"));
    }
    let registration = metadata.registration_endpoint.as_deref();
    if let Some(Ok(url)) = registration.map(parse_web_url)
        && !known(&url)
    {
        deviations.push(foreign("registration_endpoint"));
        if !with_token(&url) {
            return Ok(Registers::Elsewhere);
        }
    }
    Ok(Registers::Here)
}

fn foreign(field: &str) -> Deviation {
    Deviation::of("A018", "not on the issuer's origin", field)
}

/// C-69: https, or plain http to this machine or to hosts the operator opened for this server.
fn admit(text: &str, reach: &Reach) -> Option<Url> {
    let url = parse_web_url(text).ok()?;
    let plain_allowed = is_loopback(&url)
        || url
            .host_str()
            .is_some_and(|host| reach.allows_private(host));
    (url.scheme() == "https" || plain_allowed).then_some(url)
}
