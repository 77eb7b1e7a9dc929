//! The endpoint that people visit: authorize. No CORS here (A068).

use ::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use claviger_crypto::Secret;

use super::Shared;
use crate::{
    Ask, AuthorizeAnswer, DecideAnswer, DecideRequest, Issuer, Page, PageProblem, Redirect,
    problem_page,
};

pub(super) async fn ask(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    match shared.issuer.authorize(&query, shared.clock.now()).await {
        AuthorizeAnswer::Ask(ask) => question(&shared.issuer, &ask),
        AuthorizeAnswer::Redirect(redirect) => see_other(&redirect),
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
        fetch_site: headers
            .get("sec-fetch-site")
            .map(|value| value.to_str().unwrap_or_default()),
    };
    match shared.issuer.decide(&request, shared.clock.now()).await {
        DecideAnswer::Redirect {
            redirect,
            cookie_name,
        } => {
            let mut response = see_other(&redirect);
            let gone = cookie(&shared.issuer, &cookie_name, &Secret::new(""), 0);
            append(&mut response, header::SET_COOKIE, &gone);
            response
        }
        DecideAnswer::Problem(problem) => sorry(problem),
    }
}

fn question(issuer: &Issuer, ask: &Ask) -> Response {
    let page = issuer.approve().page(&ask.request, &ask.form);
    let mut response = show(StatusCode::OK, page, Some(&ask.form_action));
    let bound = cookie(issuer, &ask.cookie_name, &ask.cookie, ask.ttl_s);
    append(&mut response, header::SET_COOKIE, &bound);
    response
}

fn sorry(problem: PageProblem) -> Response {
    show(problem.status(), problem_page(problem), None)
}

fn show(status: StatusCode, page: Page, form_action: Option<&str>) -> Response {
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
fn see_other(redirect: &Redirect) -> Response {
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

fn cookies(headers: &HeaderMap) -> Vec<(&str, Secret)> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .map(|(name, value)| (name, Secret::new(value)))
        .collect()
}
