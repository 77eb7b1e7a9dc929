//! The browser comes back from an issuer.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use claviger_broker::{Completed, Ended};
use claviger_crypto::Secret;
use claviger_model::{Outcome, Server, ServerId};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::{Site, Web};
use crate::pages::{Page, Tone};

/// Ties a sign-in to the browser that began it (A056). Its path is that of one server's callback,
/// so that two sign-ins in one browser keep apart.
const COOKIE_NAME: &str = "claviger_sign_in";

pub(super) async fn callback(
    State(web): State<Arc<Web>>,
    Path(server): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let Ok(id) = ServerId::parse(&server) else {
        return not_waiting(&web.site);
    };
    let binding = cookie_of(&headers, COOKIE_NAME);
    let query = query.unwrap_or_default();
    match web.broker.complete(&id, &query, binding.as_ref()).await {
        Completed::Ended { ended, server } => {
            let mut response = ended_page(&web.site, &ended, &server).into_response();
            if let Some(gone) = binding_cookie(&web.site, &id, None) {
                response.headers_mut().insert(SET_COOKIE, gone);
            }
            response
        }
        Completed::NotOurs => not_waiting(&web.site),
    }
}

/// M2: unknown, late and doubled callbacks are answered politely and change nothing.
fn not_waiting(site: &Site) -> Response {
    let (status, heading) = (
        StatusCode::BAD_REQUEST,
        "No sign-in is waiting for this page",
    );
    Page::new(status, Tone::Plain, heading)
        .at(site)
        .sentence("It may be finished already, or it took too long. Nothing was changed.")
        .sentence("If you are not signed in yet, start again from where you began.")
        .into_response()
}

/// M11: the true outcome.
fn ended_page(site: &Site, ended: &Ended, server: &Server) -> Page {
    let name = &server.display_name;
    let (status, tone, heading) = match ended.outcome {
        Outcome::Success => (StatusCode::OK, Tone::Good, format!("Signed in to {name}")),
        Outcome::Denied => (
            StatusCode::FORBIDDEN,
            Tone::Bad,
            format!("The sign-in to {name} was declined"),
        ),
        Outcome::Cancelled => (
            StatusCode::BAD_REQUEST,
            Tone::Bad,
            format!("The sign-in to {name} was cancelled"),
        ),
        Outcome::TimedOut => (
            StatusCode::BAD_REQUEST,
            Tone::Bad,
            format!("The sign-in to {name} took too long"),
        ),
        Outcome::Failed => (
            StatusCode::BAD_REQUEST,
            Tone::Bad,
            format!("The sign-in to {name} did not work"),
        ),
    };
    let mut page = Page::new(status, tone, heading).at(site);
    let texts = ended.message.iter().chain(&ended.hint);
    for text in texts {
        page = page.sentence(sentence(text));
    }
    let page = if ended.outcome == Outcome::Success {
        page.sentence("You can close this window and go back to what you were doing.")
    } else {
        page.sentence("You can close this window.")
    };
    page.server(server)
}

/// The cookie that ties, or the one that takes it back.
pub(super) fn binding_cookie(
    site: &Site,
    server: &ServerId,
    binding: Option<&Secret>,
) -> Option<HeaderValue> {
    let (value, age) = binding.map_or(("", 0), |binding| (binding.expose(), 600));
    let secure = if site.is_https { "; Secure" } else { "" };
    let cookie = format!(
        "{COOKIE_NAME}={value}; Path={}/callback/{server}; Max-Age={age}; HttpOnly; \
         SameSite=Lax{secure}",
        site.prefix
    );
    let mut cookie = HeaderValue::from_str(&cookie).ok()?;
    cookie.set_sensitive(true);
    Some(cookie)
}

pub(super) fn cookie_of(headers: &HeaderMap, name: &str) -> Option<Secret> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(one, _)| *one == name)
        .map(|(_, value)| Secret::new(value))
}

/// Errors are lowercase fragments; a page wants a sentence.
pub(super) fn sentence(fragment: &str) -> String {
    let mut chars = fragment.chars();
    let mut text: String = chars
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    text.extend(chars);
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}
