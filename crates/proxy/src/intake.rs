//! What a caller sent: limits first, then the envelope, then whether the two agree.

use bytes::Bytes;
use claviger_mcp::header::{MCP_PROTOCOL_VERSION, MCP_SESSION_ID};
use claviger_mcp::{Era, Kind, Message, Mismatch, check_mirrored, code, version};
use claviger_ports::{Body, BoxError, Clock};
use futures_util::future::{BoxFuture, Either, select};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, StatusCode};
use http_body_util::{BodyExt, Collected, LengthLimitError, Limited};

use crate::Settings;
use crate::reply::Problem;

/// Refuses heads that are too large, before anything else is done with them (P-15).
pub(crate) fn check_head(headers: &HeaderMap, settings: &Settings) -> Result<(), Problem> {
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len().saturating_add(value.len()))
        .fold(0, usize::saturating_add);
    if bytes > settings.max_header_bytes || headers.len() > settings.max_header_count {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Err(Problem::refused(
            status,
            "the request's headers are too large",
        ));
    }
    Ok(())
}

/// Refuses bodies we cannot read: another type, or compressed.
pub(crate) fn check_media(headers: &HeaderMap) -> Result<(), Problem> {
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    // A form or a text may be sent by any page without asking; JSON may not.
    let media = only(headers, &CONTENT_TYPE)?.unwrap_or_default();
    let essence = media.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let message = "send the body as `Content-Type: application/json`";
        return Err(Problem::refused(status, message));
    }
    match only(headers, &CONTENT_ENCODING)? {
        None | Some("identity") => Ok(()),
        Some(_) => Err(Problem::refused(
            status,
            "send the body without Content-Encoding",
        )),
    }
}

/// Reads the body, bounded in size and time. What arrives in one piece is not copied.
pub(crate) async fn read_body(
    headers: &HeaderMap,
    body: Body,
    settings: &Settings,
    clock: &dyn Clock,
) -> Result<Bytes, Problem> {
    let limit = settings.max_body_bytes;
    let declared = headers.get(CONTENT_LENGTH);
    let declared: Option<usize> = declared
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    match select(collect(body, limit), clock.sleep(settings.request_timeout)).await {
        Either::Left((Ok(whole), _)) => Ok(whole.to_bytes()),
        Either::Left((Err(error), _)) if error.is::<LengthLimitError>() => Err(too_large(limit)),
        Either::Left((Err(_), _)) => {
            let status = StatusCode::BAD_REQUEST;
            Err(Problem::refused(status, "the request's body broke off"))
        }
        Either::Right(_) => {
            let status = StatusCode::REQUEST_TIMEOUT;
            Err(Problem::refused(status, "the request's body took too long"))
        }
    }
}

fn collect(body: Body, limit: usize) -> BoxFuture<'static, Result<Collected<Bytes>, BoxError>> {
    Box::pin(Limited::new(body, limit).collect())
}

/// Reads the envelope (A151).
pub(crate) fn read_message(body: &Bytes) -> Result<Message<'_>, Problem> {
    Message::read(body)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.code(), error.to_string()))
}

/// The one value of a header that must not stand twice.
pub(crate) fn only<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().ok().filter(|_| values.next().is_none());
    text.map(Some).ok_or_else(|| {
        let message = format!("the header `{name}` stands twice or is not text");
        Problem::new(StatusCode::BAD_REQUEST, code::INVALID_REQUEST, message)
    })
}

/// The session header of the older era.
pub(crate) fn session_header(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    only(headers, &MCP_SESSION_ID)
}

/// The era, once head and body are known not to contradict each other.
pub(crate) fn check_agreement(headers: &HeaderMap, message: &Message<'_>) -> Result<Era, Problem> {
    let version = only(headers, &MCP_PROTOCOL_VERSION)?;
    let era = Era::of_post(version, message);
    if message.single().is_none() {
        // Batches exist in 2025-03-26 alone, which has no version header yet.
        let has_batches = version.is_none_or(|version| version == version::V2025_03_26);
        if era == Era::Modern || !has_batches {
            return Err(invalid("batches are not part of this protocol version"));
        }
    }
    for envelope in message.envelopes() {
        // T-03: in the modern era clients never post responses.
        if era == Era::Modern && envelope.kind == Kind::Response {
            return Err(invalid("responses are not part of this protocol version"));
        }
        // A150: whoever decides by a header behind us must not be led past the body.
        check_mirrored(headers, envelope, era).map_err(|mismatch| mismatched(era, mismatch))?;
    }
    Ok(era)
}

fn mismatched(era: Era, mismatch: Mismatch) -> Problem {
    let code = match era {
        Era::Legacy => code::INVALID_REQUEST,
        Era::Modern => code::HEADER_MISMATCH,
    };
    Problem::new(StatusCode::BAD_REQUEST, code, mismatch.to_string())
}

fn invalid(message: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, code::INVALID_REQUEST, message)
}

fn too_large(limit: usize) -> Problem {
    let message = format!("the request's body is larger than {limit} bytes");
    Problem::refused(StatusCode::PAYLOAD_TOO_LARGE, message)
}
