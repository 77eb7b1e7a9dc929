//! The endpoints to which programs post forms.

use core::net::IpAddr;

use ::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::response::{IntoResponse, Response};
use claviger_model::Timestamp;
use serde_json::Value;

use super::Shared;
use super::address::Address;
use crate::{EndpointError, ErrorCode, FormRequest, Issuer};

/// Everything a form request consists of.
pub(super) struct Form {
    headers: HeaderMap,
    query: Option<String>,
    body: Bytes,
    address: Option<IpAddr>,
}

// === impl Form ===

impl Form {
    fn request(&self) -> FormRequest<'_> {
        FormRequest {
            headers: &self.headers,
            query: self.query.as_deref(),
            body: &self.body,
            address: self.address,
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let headers = parts.headers.clone();
        let query = parts.uri.query().map(str::to_owned);
        let Ok(Address(address)) = Address::from_request_parts(&mut parts, state).await;
        let request = Request::from_parts(parts, body);
        match Bytes::from_request(request, state).await {
            Ok(body) => Ok(Self {
                headers,
                query,
                body,
                address,
            }),
            Err(rejection) => Err(rejection.into_response()),
        }
    }
}

pub(super) async fn token(State(shared): State<Shared>, form: Form) -> Response {
    let now = shared.clock.now();
    match shared.issuer.token(&form.request(), now).await {
        Ok(answer) => json(StatusCode::OK, &answer.body()),
        Err(error) => refuse_proof(&shared.issuer, &error, now),
    }
}

pub(super) async fn revoke(State(shared): State<Shared>, form: Form) -> Response {
    match shared
        .issuer
        .revoke(&form.request(), shared.clock.now())
        .await
    {
        Ok(()) => guarded(StatusCode::OK.into_response()),
        Err(error) => refuse(&error),
    }
}

pub(super) async fn push(State(shared): State<Shared>, form: Form) -> Response {
    match shared
        .issuer
        .push(&form.request(), shared.clock.now())
        .await
    {
        Ok(pushed) => json(StatusCode::CREATED, &pushed.body()),
        Err(error) => refuse(&error),
    }
}

pub(super) async fn authorize_device(State(shared): State<Shared>, form: Form) -> Response {
    let request = form.request();
    let begun = shared.issuer.authorize_device(&request, shared.clock.now());
    match begun.await {
        Ok(answer) => json(StatusCode::OK, &answer.body()),
        Err(error) => refuse(&error),
    }
}

pub(super) async fn introspect(State(shared): State<Shared>, form: Form) -> Response {
    let request = form.request();
    let told = shared.issuer.introspect(&request, shared.clock.now());
    let mut response = match told.await {
        Ok(told) => json(StatusCode::OK, told.body()),
        Err(error) => refuse(&error),
    };
    response
        .headers_mut()
        .remove(header::ACCESS_CONTROL_ALLOW_ORIGIN);
    response
}

// Clients in browsers bring no cookies here, so every origin may ask.
pub(super) async fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST, OPTIONS"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, dpop, mcp-protocol-version",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

// RFC 9449 §8: who needs a nonce is given one.
fn refuse_proof(issuer: &Issuer, error: &EndpointError, now: Timestamp) -> Response {
    let mut response = refuse(error);
    if error.code() == ErrorCode::UseDpopNonce
        && let Ok(nonce) = HeaderValue::from_str(&issuer.dpop_nonce(now))
    {
        response.headers_mut().insert("dpop-nonce", nonce);
        response.headers_mut().insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("DPoP-Nonce"),
        );
    }
    response
}

pub(super) fn refuse(error: &EndpointError) -> Response {
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

pub(super) fn json(status: StatusCode, body: &Value) -> Response {
    let mut response = (status, body.to_string()).into_response();
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    guarded(response)
}

// RFC 6749 §5.1: no cache keeps a token, nor an answer about one (A105).
pub(super) fn guarded(mut response: Response) -> Response {
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
