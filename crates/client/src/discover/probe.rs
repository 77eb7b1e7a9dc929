//! One unauthenticated request, to see whether the server asks for a sign-in (Q33).

use claviger_ports::{FetchRequest, Sink};
use claviger_wire::{BearerChallenge, ErrorCode, without_query};
use http::header::{ACCEPT, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::document::PROTOCOL_VERSION;
use super::{Discover, DiscoverError, UnreachableCause};
use crate::event::{Event, EventOutcome, Stage};
use crate::machine::Io;

/// What the server made of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It asks for a sign-in, perhaps with a challenge that says more.
    Demanded(Option<BearerChallenge>),
    /// It answered.
    Open,
    /// It answered with something that says neither.
    Unclear(u16),
}

/// Asks in the era of the known revision; without one, in the older era first.
pub(super) async fn probe(io: &Io, input: &Discover) -> Result<Seen, DiscoverError> {
    let known = input.protocol_version.as_deref();
    let seen = ask(io, input, known.unwrap_or(STATEFUL)).await?;
    let Seen::Unclear(status) = seen else {
        return Ok(seen);
    };
    if known.is_some() || !matches!(status, 400 | 404 | 405) {
        return Ok(seen);
    }
    // Q33: a server of the stateless era alone knows no `initialize` and says so in one of these
    // ways. What the second answer does not clear up stays as the first one left it.
    match ask(io, input, STATELESS).await {
        Ok(clear @ (Seen::Demanded(_) | Seen::Open)) => Ok(clear),
        Ok(Seen::Unclear(_)) | Err(_) => Ok(seen),
    }
}

/// One request, judged.
async fn ask(io: &Io, input: &Discover, version: &str) -> Result<Seen, DiscoverError> {
    let event = Event::new(Stage::Probe, "C-01 (RFC 9110 §11.6.1)").at_place(&input.server_url);
    let response = match io.fetch(request(input, version)).await {
        Ok(response) => response,
        Err(error) => {
            io.tell(
                event
                    .outcome(EventOutcome::Unreachable)
                    .note(error.to_string()),
            );
            return Err(unreachable(input, UnreachableCause::Fetch(error)));
        }
    };
    let status = response.status.as_u16();
    let event = event.status(status);
    let values = response.headers.get_all(WWW_AUTHENTICATE);
    let texts = values.iter().filter_map(|value| value.to_str().ok());
    let parsed = BearerChallenge::parse(texts);
    let event = event.deviations(&parsed.deviations);
    let challenge = parsed.value;
    let is_invalid_token = challenge
        .as_ref()
        .is_some_and(|one| one.error == Some(ErrorCode::InvalidToken));
    let (seen, outcome, note) = match status {
        401 => (
            Seen::Demanded(challenge),
            EventOutcome::Ok,
            "a sign-in is needed",
        ),
        // Q33: some servers say 403 where they mean 401; the error code tells.
        403 if is_invalid_token => (
            Seen::Demanded(challenge),
            EventOutcome::Ok,
            "403 invalid_token, read as 401",
        ),
        200..=299 => (Seen::Open, EventOutcome::Ok, "no sign-in was asked for"),
        429 | 500..=599 => {
            io.tell(event.outcome(EventOutcome::Unreachable));
            return Err(unreachable(input, UnreachableCause::Status(status)));
        }
        _ => (
            Seen::Unclear(status),
            EventOutcome::Noted,
            "neither an answer nor a challenge",
        ),
    };
    io.tell(event.outcome(outcome).note(note));
    Ok(seen)
}

/// An `initialize` for servers that keep sessions, a `server/discover` for those that do not.
fn request(input: &Discover, version: &str) -> FetchRequest {
    let is_stateless = version >= STATELESS;
    let document = if is_stateless {
        stateless(version)
    } else {
        stateful(version)
    };
    let mut request = FetchRequest::post(Sink::Probe, &input.server_url, document.to_string());
    let headers = &mut request.headers;
    put(headers, CONTENT_TYPE, "application/json");
    put(headers, ACCEPT, "application/json, text/event-stream");
    if is_stateless {
        put(headers, PROTOCOL_VERSION, version);
        put(
            headers,
            HeaderName::from_static("mcp-method"),
            "server/discover",
        );
    }
    request
}

fn stateful(version: &str) -> Value {
    json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": version,
            "capabilities": {},
            "clientInfo": us(),
        },
    })
}

fn stateless(version: &str) -> Value {
    json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "server/discover",
        "params": { "_meta": {
            "io.modelcontextprotocol/protocolVersion": version,
            "io.modelcontextprotocol/clientInfo": us(),
            "io.modelcontextprotocol/clientCapabilities": {},
        } },
    })
}

fn us() -> Value {
    json!({ "name": "claviger", "version": env!("CARGO_PKG_VERSION") })
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn unreachable(input: &Discover, cause: UnreachableCause) -> DiscoverError {
    DiscoverError::Unreachable {
        place: without_query(&input.server_url),
        cause,
    }
}

const STATEFUL: &str = "2025-11-25";
const STATELESS: &str = "2026-07-28";
