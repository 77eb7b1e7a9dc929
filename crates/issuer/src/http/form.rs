//! The endpoints that programs speak to: token, revoke, register.

use ::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::Shared;
use crate::{EndpointError, FormRequest};

pub(super) async fn token(
    State(shared): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = FormRequest {
        headers: &headers,
        query: query.as_deref(),
        body: &body,
    };
    match shared.issuer.token(&request, shared.clock.now()).await {
        Ok(answer) => json(StatusCode::OK, &answer.body()),
        Err(error) => refuse(&error),
    }
}

pub(super) async fn revoke(
    State(shared): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = FormRequest {
        headers: &headers,
        query: query.as_deref(),
        body: &body,
    };
    match shared.issuer.revoke(&request, shared.clock.now()).await {
        Ok(()) => guarded(StatusCode::OK.into_response()),
        Err(error) => refuse(&error),
    }
}

pub(super) async fn register(State(shared): State<Shared>, body: Bytes) -> Response {
    match shared.issuer.register(&body, shared.clock.now()).await {
        Ok(registered) => json(StatusCode::CREATED, &registered.body()),
        Err(error) => refuse(&error),
    }
}

// Clients in browsers bring no cookies here, so every origin may ask.
pub(super) async fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST, OPTIONS"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, mcp-protocol-version",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

fn refuse(error: &EndpointError) -> Response {
    let mut response = json(error.status(), &error.body());
    let headers = response.headers_mut();
    if let Some(challenge) = error.www_authenticate() {
        headers.insert(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static(challenge),
        );
    }
    if let Some(seconds) = error.retry_after_s() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn json(status: StatusCode, body: &Value) -> Response {
    let mut response = (status, body.to_string()).into_response();
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    guarded(response)
}

// RFC 6749 §5.1: no cache keeps a token, nor an answer about one (A105).
fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    response
}
