//! Which answers of an upstream pass, and which of their headers.

use claviger_mcp::code;
use claviger_ports::Body;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body::Body as HttpBody;

use crate::reply::{Problem, harden};

/// What becomes of an answer.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Its status without its body.
    Empty(StatusCode),
    /// It passes with its body, which is JSON.
    Json,
    /// Something of ours takes its place.
    Replaced(Box<Problem>),
    /// It passes with its body, which is a stream of events.
    Stream,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Media {
    Events,
    Json,
    Other,
}

/// Judges an answer to a request with `method`; `expects_answer` if it held a JSON-RPC request.
pub(crate) fn judge(response: &Response<Body>, method: &Method, expects_answer: bool) -> Verdict {
    let (status, media) = (response.status(), media(response.headers()));
    if status.is_success() {
        return judge_success(response, media, method, expects_answer);
    }
    match status.as_u16() {
        // A144: a redirect is neither followed nor shown; our caller's next request would go
        // wherever the upstream says.
        300..=399 => bad_answer("the server answered with a redirect, which is never followed"),
        407 => bad_answer("the server asked for proxy credentials"),
        // G-04: bodies and statuses of 4xx drive the fallback of clients.
        400..=499 if media == Media::Json => Verdict::Json,
        // Q40: a 403 without words would be taken for ours.
        403 => bad_answer("the server refused the request (403)"),
        // Another body cannot pass. A person gets a sentence; a client that looks for an error of
        // the modern era finds none, and falls back as it would for an empty body.
        400..=499 if expects_answer => {
            let message = format!("the server answered {status} and nothing that can be shown");
            Verdict::Replaced(Box::new(Problem::new(status, code::BAD_ANSWER, message)))
        }
        400..=499 => Verdict::Empty(status),
        _ if media == Media::Json => Verdict::Json,
        _ => Verdict::Replaced(Box::new(trouble(status))),
    }
}

fn judge_success(
    response: &Response<Body>,
    media: Media,
    method: &Method,
    expects_answer: bool,
) -> Verdict {
    let status = response.status();
    let is_empty = response.body().is_end_stream()
        || response.headers().get(CONTENT_LENGTH) == Some(&HeaderValue::from_static("0"));
    match media {
        _ if is_empty || status == StatusCode::NO_CONTENT => Verdict::Empty(status),
        Media::Json => Verdict::Json,
        Media::Events => Verdict::Stream,
        // Nobody reads more than the status here, and some servers write "Accepted" for people.
        Media::Other if status == StatusCode::ACCEPTED || *method == Method::DELETE => {
            Verdict::Empty(status)
        }
        Media::Other if *method == Method::POST && !expects_answer => {
            Verdict::Empty(StatusCode::ACCEPTED)
        }
        // A160: a page or a script must not come from our origin.
        Media::Other => bad_answer("the server answered with neither JSON nor a stream of events"),
    }
}

/// The headers that pass. A list of what may: cookies, challenges, locations, policies and
/// whatever repeats a credential stay here (A143, G-06).
pub(crate) fn passed(upstream: &HeaderMap, verdict: &Verdict) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(12);
    let has_body = matches!(verdict, Verdict::Json | Verdict::Stream);
    for name in &PASSED {
        if let Some(value) = upstream.get(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
    if has_body {
        for name in &OF_BODIES {
            if let Some(value) = upstream.get(name) {
                headers.insert(name.clone(), value.clone());
            }
        }
    }
    if matches!(verdict, Verdict::Stream) {
        // G-14: whoever stands before us must not hold events back.
        headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    }
    harden(&mut headers);
    headers
}

fn bad_answer(message: &str) -> Verdict {
    let problem = Problem::new(StatusCode::BAD_GATEWAY, code::BAD_ANSWER, message);
    Verdict::Replaced(Box::new(problem))
}

fn trouble(status: StatusCode) -> Problem {
    let shown = match status {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => status,
        _ => StatusCode::BAD_GATEWAY,
    };
    let message = format!("the server failed ({})", status.as_u16());
    Problem::new(shown, code::UNREACHABLE, message)
}

fn media(headers: &HeaderMap) -> Media {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Media::Other;
    };
    let essence = value.as_bytes().split(|byte| *byte == b';').next();
    let essence = essence.unwrap_or_default().trim_ascii();
    if essence.eq_ignore_ascii_case(b"application/json") {
        Media::Json
    } else if essence.eq_ignore_ascii_case(b"text/event-stream") {
        Media::Events
    } else {
        Media::Other
    }
}

const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

static PASSED: [HeaderName; 5] = [
    HeaderName::from_static("allow"),
    HeaderName::from_static("mcp-protocol-version"),
    HeaderName::from_static("retry-after"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];

static OF_BODIES: [HeaderName; 5] = [
    HeaderName::from_static("content-encoding"),
    HeaderName::from_static("content-language"),
    HeaderName::from_static("content-length"),
    HeaderName::from_static("content-type"),
    HeaderName::from_static("x-accel-buffering"),
];
