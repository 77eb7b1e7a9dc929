//! Fetches one metadata document and says what came instead, if something else did.

use bytes::Bytes;
use claviger_ports::{FetchRequest, FetchResponse, Sink};
use claviger_wire::Place;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};

use super::{Discover, DiscoverError, UnreachableCause};
use crate::event::{Event, EventOutcome, Stage};
use crate::machine::Io;

/// What a place gave.
pub(super) enum Got {
    /// 404 or 410.
    Absent,
    /// No answer, 429, or 5xx.
    Down(UnreachableCause),
    /// 200 with a body.
    Document {
        content_type: Option<String>,
        body: Bytes,
    },
    /// Any other status, redirects among them: those are never followed (A008).
    Refused,
}

/// What the places of one document came to when none of them gave it.
#[derive(Debug, Clone, Default)]
pub(super) struct Misses {
    /// Something other than a plain "not found" was among them.
    pub(super) odd: bool,
    /// The first place that gave no answer.
    pub(super) down: Option<(String, UnreachableCause)>,
    /// The challenge named a place, so that the server is of a revision that has this document.
    pub(super) named: bool,
}

impl Misses {
    pub(super) fn add(&mut self, place: &Place, got: &Got) {
        match got {
            Got::Absent => {}
            Got::Down(cause) => {
                self.odd = true;
                self.down
                    .get_or_insert_with(|| (place.url.clone(), cause.clone()));
            }
            Got::Document { .. } | Got::Refused => self.odd = true,
        }
    }

    /// Q30: "no answer" is never read as "not there".
    pub(super) fn unreachable(&self) -> Option<DiscoverError> {
        self.down
            .as_ref()
            .map(|(place, cause)| DiscoverError::Unreachable {
                place: claviger_wire::without_query(place),
                cause: cause.clone(),
            })
    }
}

pub(super) async fn get(
    io: &Io,
    input: &Discover,
    place: &Place,
    stage: Stage,
    version: Option<&str>,
) -> Got {
    let sink = match stage {
        Stage::ResourceMetadata => Sink::ResourceMetadata,
        _ => Sink::IssuerMetadata,
    };
    let mut request = FetchRequest::get(sink, place.url.clone());
    request
        .headers
        .insert(ACCEPT, HeaderValue::from_static("application/json"));
    // C-14: a server of the first revision wants to know the revision.
    let version = input.protocol_version.as_deref().or(version);
    if let Some(version) = version.and_then(|text| HeaderValue::from_str(text).ok()) {
        request.headers.insert(PROTOCOL_VERSION, version);
    }
    let event = Event::new(stage, place.rule).at_place(&place.url);
    match io.fetch(request).await {
        Ok(response) => sort(io, event, response),
        Err(error) => {
            io.tell(
                event
                    .outcome(EventOutcome::Unreachable)
                    .note(error.to_string()),
            );
            Got::Down(UnreachableCause::Fetch(error))
        }
    }
}

fn sort(io: &Io, event: Event, response: FetchResponse) -> Got {
    let status = response.status.as_u16();
    let event = event.status(status);
    let (got, event) = match status {
        200 => {
            let content_type = response
                .headers
                .get(CONTENT_TYPE)
                .map(|value| value.to_str().unwrap_or("?").to_owned());
            // What is in it is the reader's event.
            return Got::Document {
                content_type,
                body: response.body,
            };
        }
        404 | 410 => (Got::Absent, event.outcome(EventOutcome::Absent)),
        429 | 500..=599 => (
            Got::Down(UnreachableCause::Status(status)),
            event.outcome(EventOutcome::Unreachable),
        ),
        300..=399 => (
            Got::Refused,
            event
                .outcome(EventOutcome::Refused)
                .note("a redirect, which is not followed"),
        ),
        _ => (Got::Refused, event.outcome(EventOutcome::Refused)),
    };
    io.tell(event);
    got
}

pub(super) const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
