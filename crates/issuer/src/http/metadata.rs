//! The metadata document at every place where clients look: `GET`, `HEAD` and `OPTIONS`.

use ::http::{HeaderValue, StatusCode, header};
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};

use super::Shared;
use crate::Issuer;

pub(super) fn router(issuer: &Issuer) -> Router {
    let body = serde_json::json!(issuer.metadata()).to_string();
    issuer
        .metadata_paths()
        .into_iter()
        .fold(Router::new(), |router, path| {
            let body = body.clone();
            let answer = get(move || core::future::ready(document(body.clone())));
            router.route(&path, answer.options(preflight))
        })
}

/// The key set.
pub(super) async fn keys(State(shared): State<Shared>) -> Response {
    document(shared.issuer.key_set().to_string())
}

/// Says in JSON that there is nothing at any other well-known place, so that no page below
/// answers there. Once for each host.
pub fn well_known_fallback() -> Router {
    let nothing = || async {
        let headers = [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "no-store"),
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        ];
        (StatusCode::NOT_FOUND, headers, r#"{"error":"not_found"}"#)
    };
    Router::new()
        .route("/.well-known/", any(nothing))
        .route("/.well-known/{*name}", any(nothing))
}

fn document(body: String) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=300"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    response
}

pub(super) async fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "*"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}
