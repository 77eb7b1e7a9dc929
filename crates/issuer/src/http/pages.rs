//! The endpoint that people visit: authorize. No CORS here (A068).

use ::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use claviger_crypto::Secret;

use super::Shared;
use super::address::Address;
use crate::{
    Ask, AuthorizeAnswer, AuthorizeRequest, DecideAnswer, DecideRequest, FormAction, Issuer, Page,
    PageProblem, Redirect, done_page, problem_page,
};

pub(super) async fn ask(
    State(shared): State<Shared>,
    Address(address): Address,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let request = AuthorizeRequest {
        query: query.as_deref().unwrap_or_default(),
        cookies: cookies(&headers),
        fetch_site: fetch_site(&headers),
        address,
    };
    match shared.issuer.authorize(&request, shared.clock.now()).await {
        AuthorizeAnswer::Ask(ask) => question(&shared.issuer, &ask),
        AuthorizeAnswer::Redirect(redirect) | AuthorizeAnswer::SignIn(redirect) => {
            see_other(&redirect)
        }
        AuthorizeAnswer::Problem(problem) => sorry(problem),
    }
}

pub(super) async fn decide(
    State(shared): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = DecideRequest {
        body: &body,
        cookies: cookies(&headers),
        fetch_site: fetch_site(&headers),
    };
    match shared.issuer.decide(&request, shared.clock.now()).await {
        DecideAnswer::Redirect {
            redirect,
            cookie_name,
        } => without_cookie(see_other(&redirect), &shared.issuer, &cookie_name),
        DecideAnswer::Done {
            is_approved,
            cookie_name,
        } => {
            let shown = show(StatusCode::OK, done_page(is_approved), FormAction::Nowhere);
            without_cookie(shown, &shared.issuer, &cookie_name)
        }
        DecideAnswer::Problem(problem) => sorry(problem),
    }
}

fn without_cookie(mut response: Response, issuer: &Issuer, name: &str) -> Response {
    let gone = cookie(issuer, name, &Secret::new(""), 0);
    append(&mut response, header::SET_COOKIE, &gone);
    response
}

pub(super) fn question(issuer: &Issuer, ask: &Ask) -> Response {
    let page = issuer.approve().page(&ask.request, &ask.form);
    let leads_to = ask
        .form_action
        .as_deref()
        .map_or(FormAction::Us, FormAction::Beyond);
    let mut response = show(StatusCode::OK, page, leads_to);
    let bound = cookie(issuer, &ask.cookie_name, &ask.cookie, ask.ttl_s);
    append(&mut response, header::SET_COOKIE, &bound);
    response
}

pub(super) fn sorry(problem: PageProblem) -> Response {
    show(problem.status(), problem_page(problem), FormAction::Nowhere)
}

pub(super) fn show(status: StatusCode, page: Page, form_action: FormAction<'_>) -> Response {
    let policy = page.content_security_policy(form_action);
    let mut response = (status, page.html).into_response();
    append(&mut response, header::CONTENT_SECURITY_POLICY, &policy);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    guarded(response)
}

// RFC 9700 §4.12: 303, so that no browser posts the form on (A066).
pub(super) fn see_other(redirect: &Redirect) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    append(
        &mut response,
        header::LOCATION,
        redirect.location().expose(),
    );
    guarded(response)
}

fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn append(response: &mut Response, name: HeaderName, value: &str) {
    // All values are ours or checked ASCII; one that is not would be left out, never split.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().append(name, value);
    }
}

fn cookie(issuer: &Issuer, name: &str, value: &Secret, ttl_s: u32) -> String {
    let secure = if issuer.is_https() { "; Secure" } else { "" };
    format!(
        "{name}={}; Path=/; Max-Age={ttl_s}; HttpOnly; SameSite=Lax{secure}",
        value.expose()
    )
}

pub(super) fn fetch_site(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get("sec-fetch-site")?;
    Some(value.to_str().unwrap_or_default())
}

pub(super) fn cookies(headers: &HeaderMap) -> Vec<(&str, Secret)> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .map(|(name, value)| (name, Secret::new(value)))
        .collect()
}
