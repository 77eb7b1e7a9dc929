//! The metadata document at every place where clients look: `GET`, `HEAD` and `OPTIONS`.

use ::http::{HeaderValue, StatusCode, header};
use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

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

async fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "*"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}
