//! Finds the resource metadata: where the challenge says, by the path, at the root. In sequence.

use claviger_wire::{
    BearerChallenge, Deviation, Place, ResourceId, ResourceMatch, ResourceMetadata,
    parse_resource_metadata, parse_web_url, resource_metadata_places, same_origin, without_query,
};

use super::document::{self, Got, Misses};
use super::error::shown;
use super::{Discover, DiscoverError};
use crate::event::{Event, EventOutcome, Stage};
use crate::machine::Io;

/// What the places came to.
pub(super) enum Found {
    Absent(Misses),
    Document(Document),
}

pub(super) struct Document {
    pub(super) metadata: ResourceMetadata,
    pub(super) url: String,
}

pub(super) async fn find(
    io: &Io,
    input: &Discover,
    challenge: Option<&BearerChallenge>,
    deviations: &mut Vec<Deviation>,
) -> Result<Found, DiscoverError> {
    let mut misses = Misses::default();
    let named = challenge.and_then(|one| one.resource_metadata.as_deref());
    misses.named = named.is_some();
    let mut places: Vec<Place> = named
        .and_then(|url| admit_named(io, input, url))
        .into_iter()
        .collect();
    let rest = resource_metadata_places(&input.server_url)
        .map_err(|why| DiscoverError::ServerUrl { why })?;
    for place in rest {
        if !places.iter().any(|one| one.url == place.url) {
            places.push(place);
        }
    }
    for place in places {
        // C-04: the next place is asked only if this one gave nothing.
        let got = document::get(io, input, &place, Stage::ResourceMetadata, None).await;
        misses.add(&place, &got);
        let Got::Document { content_type, body } = got else {
            continue;
        };
        if let Some(metadata) = read(
            io,
            input,
            &place,
            content_type.as_deref(),
            &body,
            deviations,
        )? {
            return Ok(Found::Document(Document {
                metadata,
                url: place.url,
            }));
        }
    }
    if let Some(error) = misses.unreachable() {
        return Err(error);
    }
    Ok(Found::Absent(misses))
}

/// C-03: exactly the URL that the challenge names, unless it lies on another origin (A003).
fn admit_named(io: &Io, input: &Discover, named: &str) -> Option<Place> {
    let rule = "C-03 (RFC 9728 §5.1)";
    let event = Event::new(Stage::ResourceMetadata, rule).at_place(named);
    let (Ok(url), Ok(server)) = (parse_web_url(named), parse_web_url(&input.server_url)) else {
        io.tell(
            event
                .outcome(EventOutcome::Refused)
                .note("the challenge names no URL we may use"),
        );
        return None;
    };
    let origin = url.origin().ascii_serialization();
    let quirk = input.quirks.of(&input.server_url);
    // A003: a server must not send us to documents of others; on its own origin it may.
    if !same_origin(&url, &server) && !quirk.metadata_origins.contains(&origin) {
        let deviation = Deviation::new("A003", "resource metadata on another origin");
        io.tell(
            event
                .outcome(EventOutcome::Refused)
                .note("the challenge names a place on another origin")
                .deviations(&[deviation]),
        );
        return None;
    }
    Some(Place {
        url: named.to_owned(),
        rule,
    })
}

fn read(
    io: &Io,
    input: &Discover,
    place: &Place,
    content_type: Option<&str>,
    body: &[u8],
    deviations: &mut Vec<Deviation>,
) -> Result<Option<ResourceMetadata>, DiscoverError> {
    let event = Event::new(Stage::ResourceMetadata, place.rule)
        .at_place(&place.url)
        .status(200);
    let mut parsed = match parse_resource_metadata(content_type, body) {
        Ok(parsed) => parsed,
        Err(error) => {
            // Q30: a page for browsers or another document is no answer; the next place may be.
            io.tell(
                event
                    .outcome(EventOutcome::Unusable)
                    .note(error.to_string()),
            );
            return Ok(None);
        }
    };
    let resource = ResourceId::verbatim(parsed.value.resource.clone());
    match resource.fits(&input.server_url) {
        Ok(ResourceMatch::Equal) => {}
        Ok(ResourceMatch::Equivalent) => parsed
            .deviations
            .push(Deviation::new("Q29", "the resource is spelled differently")),
        Ok(_) => parsed.deviations.push(Deviation::new(
            "Q29",
            "the resource is a parent of the server",
        )),
        Err(why) => {
            // RFC 9728 §3.3, A004: not used, and the issuer it names is never contacted.
            io.tell(event.outcome(EventOutcome::Refused).note(why.to_string()));
            return Err(DiscoverError::ResourceMismatch {
                place: without_query(&place.url),
                found: shown(resource.as_str()),
                why,
            });
        }
    }
    io.tell(event.deviations(&parsed.deviations));
    deviations.append(&mut parsed.deviations);
    Ok(Some(parsed.value))
}
