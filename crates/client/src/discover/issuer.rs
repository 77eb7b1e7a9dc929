//! Picks one of the issuers a resource lists, and finds its metadata.

use claviger_wire::{
    Deviation, IssuerMetadata, Place, issuer_metadata_places, parse_issuer_metadata,
};

use super::document::{self, Got, Misses};
use super::error::shown;
use super::resource::Document;
use super::{Discover, DiscoverError, endpoints};
use crate::event::{Event, EventOutcome, Stage};
use crate::machine::Io;

/// C-07: the first that can be used; each is on its own, none lends anything to another.
pub(super) async fn choose(
    io: &Io,
    input: &Discover,
    document: &Document,
    deviations: &mut Vec<Deviation>,
) -> Result<IssuerMetadata, DiscoverError> {
    let mut first_error = None;
    for issuer in candidates(input, document)? {
        let mut own = Vec::new();
        let found = find(io, input, &issuer, &mut own).await;
        let checked = found
            .and_then(|metadata| keep_pinned(input, &issuer, metadata))
            .and_then(|metadata| endpoints::check(io, input, metadata, &mut own));
        match checked {
            Ok(metadata) => {
                deviations.append(&mut own);
                return Ok(metadata);
            }
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    Err(first_error.unwrap_or_else(|| DiscoverError::NoIssuer {
        place: claviger_wire::without_query(&document.url),
    }))
}

fn candidates(input: &Discover, document: &Document) -> Result<Vec<String>, DiscoverError> {
    let listed = &document.metadata.authorization_servers;
    if let Some(pinned) = &input.pinned_issuer {
        // C-33, A019: what was made with one issuer is not carried to another.
        let of_pinned =
            |one: &&String| *one == pinned || input.quirks.of(one).allows_alias(one, pinned);
        let Some(one) = listed.iter().find(of_pinned) else {
            return Err(DiscoverError::IssuerChanged {
                pinned: shown(pinned),
                offered: listed
                    .first()
                    .map_or("no issuer".to_owned(), |one| shown(one)),
            });
        };
        return Ok(vec![one.clone()]);
    }
    let mut candidates: Vec<String> = listed.iter().take(MAX_ISSUERS).cloned().collect();
    let is_preferred = |one: &String| {
        input.preferred_issuer.as_ref().is_some_and(|preferred| {
            one == preferred || input.quirks.of(one).allows_alias(one, preferred)
        })
    };
    candidates.sort_by_key(|one| !is_preferred(one));
    Ok(candidates)
}

/// A019: an alias leads to the pinned issuer, or nowhere.
fn keep_pinned(
    input: &Discover,
    listed: &str,
    metadata: IssuerMetadata,
) -> Result<IssuerMetadata, DiscoverError> {
    match &input.pinned_issuer {
        Some(pinned) if pinned != listed && *pinned != metadata.issuer => {
            Err(DiscoverError::IssuerChanged {
                pinned: shown(pinned),
                offered: shown(&metadata.issuer),
            })
        }
        _ => Ok(metadata),
    }
}

async fn find(
    io: &Io,
    input: &Discover,
    issuer: &str,
    deviations: &mut Vec<Deviation>,
) -> Result<IssuerMetadata, DiscoverError> {
    let no_metadata = || DiscoverError::NoIssuerMetadata {
        issuer: shown(issuer),
    };
    let Ok(places) = issuer_metadata_places(issuer) else {
        io.tell(
            Event::new(Stage::IssuerMetadata, "C-08 (RFC 8414 §2)")
                .outcome(EventOutcome::Refused)
                .note("the resource lists an issuer that is no URL we may use"),
        );
        return Err(no_metadata());
    };
    let mut misses = Misses::default();
    let mut mismatch = None;
    for place in places {
        let got = document::get(io, input, &place, Stage::IssuerMetadata, None).await;
        misses.add(&place, &got);
        let Got::Document { content_type, body } = got else {
            continue;
        };
        match read(
            io,
            input,
            &place,
            content_type.as_deref(),
            &body,
            issuer,
            deviations,
        ) {
            Ok(Some(metadata)) => return Ok(metadata),
            Ok(None) => {}
            Err(error) => mismatch = Some(error),
        }
    }
    Err(mismatch
        .or_else(|| misses.unreachable())
        .unwrap_or_else(no_metadata))
}

/// Reads one document; `None` if it is none, an error if it is another issuer's.
pub(super) fn read(
    io: &Io,
    input: &Discover,
    place: &Place,
    content_type: Option<&str>,
    body: &[u8],
    listed: &str,
    deviations: &mut Vec<Deviation>,
) -> Result<Option<IssuerMetadata>, DiscoverError> {
    let event = Event::new(Stage::IssuerMetadata, place.rule)
        .at_place(&place.url)
        .status(200);
    let mut parsed = match parse_issuer_metadata(content_type, body) {
        Ok(parsed) => parsed,
        Err(error) => {
            // Q30: the next place may have it.
            io.tell(
                event
                    .outcome(EventOutcome::Unusable)
                    .note(error.to_string()),
            );
            return Ok(None);
        }
    };
    let answered = &parsed.value.issuer;
    // RFC 8414 §3.3, C-11: byte for byte; a slash, a case or a port make another issuer (A007).
    if answered != listed {
        if !input.quirks.of(listed).allows_alias(listed, answered) {
            io.tell(
                event
                    .outcome(EventOutcome::Refused)
                    .note("the document is another issuer's (C-11, RFC 8414 §3.3)"),
            );
            return Err(DiscoverError::IssuerMismatch {
                listed: shown(listed),
                answered: shown(answered),
            });
        }
        parsed
            .deviations
            .push(Deviation::new("Q28", "an alias of the quirk file answered"));
    }
    io.tell(event.deviations(&parsed.deviations));
    deviations.append(&mut parsed.deviations);
    Ok(Some(parsed.value))
}

const MAX_ISSUERS: usize = 8;
