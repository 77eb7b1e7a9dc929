//! Servers of 2025-03-26: metadata at their own origin, or nothing but default endpoints.

use claviger_wire::{Deviation, IssuerMetadata, default_endpoints, legacy_issuer_place};

use super::document::{self, Got, Misses};
use super::error::shown;
use super::{Discover, DiscoverError, Legacy, endpoints, issuer};
use crate::event::{Event, EventOutcome, Stage};
use crate::machine::Io;

pub(super) async fn find(
    io: &Io,
    input: &Discover,
    absent: &Misses,
    deviations: &mut Vec<Deviation>,
) -> Result<(IssuerMetadata, Legacy), DiscoverError> {
    // Whoever names resource metadata is of a later revision; that it cannot be had is an error.
    if absent.named {
        return Err(DiscoverError::NoResourceMetadata);
    }
    let (origin, place) =
        legacy_issuer_place(&input.server_url).map_err(|why| DiscoverError::ServerUrl { why })?;
    let got = document::get(io, input, &place, Stage::IssuerMetadata, Some(REVISION)).await;
    let mut misses = Misses::default();
    misses.add(&place, &got);
    if let Got::Document { content_type, body } = got {
        // RFC 8414 §3.3: the origin with and without its slash have the same place, and nobody
        // listed one of them here; the document says which one it is.
        let slashed = format!("{origin}/");
        let listed = if is_for(&body, &slashed) {
            slashed
        } else {
            origin
        };
        let read = issuer::read(
            io,
            input,
            &place,
            content_type.as_deref(),
            &body,
            &listed,
            deviations,
        )?;
        let metadata = read.ok_or(DiscoverError::NoResourceMetadata)?;
        refuse_change(input, &metadata.issuer)?;
        let metadata = endpoints::check(io, input, metadata, deviations)?;
        return Ok((metadata, Legacy::Metadata));
    }
    if let Some(error) = misses.unreachable() {
        return Err(error);
    }
    // C-13, Q39: guessing an address is for servers where every place said "not found", and
    // nothing that is already stored goes there.
    if absent.odd || misses.odd {
        return Err(DiscoverError::NoResourceMetadata);
    }
    refuse_change(input, &origin)?;
    defaults(io, input, origin)
}

fn defaults(
    io: &Io,
    input: &Discover,
    origin: String,
) -> Result<(IssuerMetadata, Legacy), DiscoverError> {
    let [authorization, token, registration] =
        default_endpoints(&input.server_url).map_err(|why| DiscoverError::ServerUrl { why })?;
    io.tell(
        Event::new(Stage::Endpoints, "C-13 (MCP 2025-03-26, fallbacks)")
            .at_place(&token)
            .outcome(EventOutcome::Noted)
            .note("no metadata anywhere; the default endpoints serve one fresh sign-in"),
    );
    let metadata = IssuerMetadata {
        issuer: origin,
        authorization_endpoint: Some(authorization),
        token_endpoint: token,
        registration_endpoint: Some(registration),
        // The first revision has public clients and says so nowhere.
        token_endpoint_auth_methods_supported: Some(vec!["none".to_owned()]),
        ..IssuerMetadata::default()
    };
    Ok((metadata, Legacy::DefaultEndpoints))
}

/// A019: whatever is held for another issuer is not replaced by an older way of finding one.
fn refuse_change(input: &Discover, found: &str) -> Result<(), DiscoverError> {
    let held = input
        .pinned_issuer
        .as_ref()
        .or(input.preferred_issuer.as_ref());
    match held {
        Some(held) if held != found => Err(DiscoverError::IssuerChanged {
            pinned: shown(held),
            offered: shown(found),
        }),
        _ => Ok(()),
    }
}

fn is_for(body: &[u8], issuer: &str) -> bool {
    claviger_wire::parse_issuer_metadata(Some("application/json"), body)
        .is_ok_and(|parsed| parsed.value.issuer == issuer)
}

const REVISION: &str = "2025-03-26";
