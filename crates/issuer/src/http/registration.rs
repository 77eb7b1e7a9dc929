//! Registration, and what a client does with its own: RFC 7591, RFC 7592.

use ::http::{HeaderMap, StatusCode, header};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};

use super::Shared;
use super::address::Address;
use super::form::{guarded, json, refuse};
use crate::RegisterRequest;

pub(super) async fn register(
    State(shared): State<Shared>,
    Address(address): Address,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = RegisterRequest {
        headers: &headers,
        body: &body,
        address,
    };
    match shared.issuer.register(&request, shared.clock.now()).await {
        Ok(registered) => json(StatusCode::CREATED, &registered.body()),
        Err(error) => refuse(&error),
    }
}

pub(super) async fn read(
    State(shared): State<Shared>,
    Address(address): Address,
    Path(client_id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let request = RegisterRequest {
        headers: &headers,
        body: b"",
        address,
    };
    let now = shared.clock.now();
    let read = shared.issuer.read_registration(&request, &client_id, now);
    match read.await {
        Ok(registered) => json(StatusCode::OK, &registered.body()),
        Err(error) => refuse(&error),
    }
}

pub(super) async fn update(
    State(shared): State<Shared>,
    Address(address): Address,
    Path(client_id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = RegisterRequest {
        headers: &headers,
        body: &body,
        address,
    };
    let now = shared.clock.now();
    let updated = shared.issuer.update_registration(&request, &client_id, now);
    match updated.await {
        Ok(registered) => json(StatusCode::OK, &registered.body()),
        Err(error) => refuse(&error),
    }
}

pub(super) async fn delete(
    State(shared): State<Shared>,
    Address(address): Address,
    Path(client_id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let request = RegisterRequest {
        headers: &headers,
        body: b"",
        address,
    };
    let now = shared.clock.now();
    let deleted = shared.issuer.delete_registration(&request, &client_id, now);
    match deleted.await {
        Ok(()) => guarded(StatusCode::NO_CONTENT.into_response()),
        Err(error) => refuse(&error),
    }
}

pub(super) async fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (
            header::ACCESS_CONTROL_ALLOW_METHODS,
            "GET, PUT, DELETE, OPTIONS",
        ),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, mcp-protocol-version",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}
