//! The pages on the way of a sign-in: the link, and the callback.

use core::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use claviger_broker::{Begin, BeginError, Begun, Broker, Completed};
use claviger_crypto::{Secret, base64url_encode};
use claviger_model::{CredentialKey, Outcome, Server, ServerId};
use claviger_ports::Entropy;
use http::header::{COOKIE, HOST, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use url::Url;

use crate::catalogue::MemoryCatalogue;
use crate::landing::Landing;
use crate::pages::{Page, Tone};

/// What the pages need.
pub(crate) struct Web {
    pub(crate) broker: Broker,
    pub(crate) catalogue: Arc<MemoryCatalogue>,
    pub(crate) landing: Arc<Landing>,
    pub(crate) entropy: Arc<dyn Entropy>,
    /// Host names we answer to besides loopback literals, without port.
    pub(crate) hosts: Vec<String>,
}

/// Ties a sign-in to the browser that began it (A056).
const COOKIE_NAME: &str = "claviger_sign_in";

/// The routes of the link and the callback.
pub(crate) fn router(web: Arc<Web>) -> Router {
    Router::new()
        .route("/callback/{server}", get(callback))
        .route("/login/{ticket}", get(show_link).post(follow_link))
        .layer(from_fn_with_state(Arc::clone(&web), check_host))
        .with_state(web)
}

/// A193: a page that rebound its name to loopback says so in `Host`.
async fn check_host(State(web): State<Arc<Web>>, request: Request, next: Next) -> Response {
    let host = request
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("");
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|byte| byte.is_ascii_digit()) {
            name
        } else {
            host
        }
    });
    let ours = ["127.0.0.1", "[::1]", "localhost"].contains(&name)
        || web
            .hosts
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name));
    if ours {
        next.run(request).await
    } else {
        StatusCode::FORBIDDEN.into_response()
    }
}

async fn callback(
    State(web): State<Arc<Web>>,
    Path(server): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let Ok(server) = ServerId::parse(&server) else {
        return unknown_callback();
    };
    let binding = binding_cookie(&headers);
    let query = query.unwrap_or_default();
    match web.broker.complete(&server, &query, binding.as_ref()).await {
        Completed::Ended { ended, server } => {
            let mut response = ended_page(&ended, &server).into_response();
            let gone = format!("{COOKIE_NAME}=; Path=/callback; Max-Age=0; HttpOnly; SameSite=Lax");
            if let Ok(gone) = HeaderValue::from_str(&gone) {
                response.headers_mut().insert(SET_COOKIE, gone);
            }
            response
        }
        Completed::NotOurs => unknown_callback(),
    }
}

/// M2: unknown, late and doubled callbacks are answered politely and change nothing.
fn unknown_callback() -> Response {
    Page::new(
        StatusCode::BAD_REQUEST,
        Tone::Bad,
        "This sign-in is not waiting",
    )
    .sentence("It may have been finished already, or taken too long.")
    .sentence("Nothing was changed. Start the sign-in again from where you began it.")
    .into_response()
}

fn ended_page(ended: &claviger_broker::Ended, server: &Server) -> Page {
    let name = &server.display_name;
    let page = match ended.outcome {
        Outcome::Success => Page::new(StatusCode::OK, Tone::Good, format!("Signed in to {name}"))
            .sentence("You can close this window and go back to what you were doing."),
        Outcome::Denied => Page::new(
            StatusCode::FORBIDDEN,
            Tone::Bad,
            format!("The sign-in to {name} was declined"),
        ),
        Outcome::Cancelled => Page::new(
            StatusCode::BAD_REQUEST,
            Tone::Bad,
            format!("The sign-in to {name} was cancelled"),
        ),
        Outcome::TimedOut => Page::new(
            StatusCode::BAD_REQUEST,
            Tone::Bad,
            format!("The sign-in to {name} took too long"),
        ),
        Outcome::Failed => Page::new(
            StatusCode::BAD_REQUEST,
            Tone::Bad,
            format!("The sign-in to {name} did not work"),
        ),
    };
    let page = match &ended.message {
        Some(message) => page.sentence(sentence(message)),
        None => page,
    };
    match &ended.hint {
        Some(hint) => page.sentence(sentence(hint)),
        None => page,
    }
}

async fn show_link(State(web): State<Arc<Web>>, Path(ticket): Path<String>) -> Response {
    let Some((server, _)) = find_link(&web, &ticket) else {
        return unknown_link();
    };
    link_page(&server, &ticket, false).into_response()
}

async fn follow_link(
    State(web): State<Arc<Web>>,
    Path(ticket): Path<String>,
    request: Request,
) -> Response {
    // A057, A058: another site's page must not begin a sign-in here. A browser that sends neither
    // header is no browser of this decade.
    if !is_same_origin(request.headers()) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let start_over = request.uri().query() == Some("again");
    let Some((server, key)) = find_link(&web, &ticket) else {
        return unknown_link();
    };
    let held = match web.landing.hold(&server.id).await {
        Ok(held) => held,
        Err(error) => {
            tracing::warn!(%error, "could not open the callback listener");
            return failed_page(&server, "the callback listener could not be opened", None);
        }
    };
    let binding = Secret::new(base64url_encode(&web.entropy.key_bytes()));
    let begin = Begin {
        redirect_uri: held.redirect_uri.clone(),
        force: true,
        start_over,
        binding: Some(binding.clone()),
    };
    let begun = web
        .broker
        .begin(&server, &key.user, begin, &mut |_step| {})
        .await;
    match begun {
        Ok(Begun::Started(started)) => {
            // The listener stays open until this sign-in has come to its end.
            web.broker.when_ended(&started.id, held);
            to_issuer(&started.authorization_url, &binding)
        }
        Ok(Begun::Connected | Begun::NoSignIn) => Page::new(
            StatusCode::OK,
            Tone::Good,
            format!("Connected to {}", server.display_name),
        )
        .sentence("No sign-in is needed. You can close this window.")
        .into_response(),
        Err(BeginError::InFlight { .. }) => link_page(&server, &ticket, true).into_response(),
        Err(error) => {
            tracing::info!(server = %server.slug, error = %error, "a sign-in could not begin");
            failed_page(&server, &error.to_string(), error.hint().as_deref())
        }
    }
}

fn to_issuer(authorization_url: &str, binding: &Secret) -> Response {
    let cookie = format!(
        "{COOKIE_NAME}={}; Path=/callback; Max-Age=600; HttpOnly; SameSite=Lax",
        binding.expose()
    );
    let (Ok(location), Ok(mut cookie)) = (
        HeaderValue::from_str(authorization_url),
        HeaderValue::from_str(&cookie),
    ) else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    cookie.set_sensitive(true);
    // A066: 303, so that nothing of the POST is repeated.
    (
        StatusCode::SEE_OTHER,
        [(LOCATION, location), (SET_COOKIE, cookie)],
    )
        .into_response()
}

fn link_page(server: &Server, ticket: &str, in_flight: bool) -> Page {
    let host = Url::parse(&server.url)
        .ok()
        .and_then(|url| url.host().map(|host| host.to_string()))
        .unwrap_or_default();
    let name = &server.display_name;
    let (status, heading, action, label) = if in_flight {
        let heading = format!("A sign-in to {name} is already under way");
        (
            StatusCode::CONFLICT,
            heading,
            format!("/login/{ticket}?again"),
            "Start over",
        )
    } else {
        (
            StatusCode::OK,
            format!("Sign in to {name}"),
            format!("/login/{ticket}"),
            "Continue",
        )
    };
    let page = Page::new(status, Tone::Plain, heading);
    let page = if in_flight {
        page.sentence("Finish it in the other window, or start over here; the other one then ends.")
    } else {
        page.sentence("Claviger takes you to the sign-in service of this server.")
            .sentence(
                "The access it grants is kept by Claviger, sealed; your MCP client never sees it.",
            )
    };
    page.fact("Server", host).button(label, action, Vec::new())
}

fn unknown_link() -> Response {
    Page::new(StatusCode::NOT_FOUND, Tone::Bad, "This link has expired")
        .sentence("Repeat what you were doing in your MCP client to get a new one.")
        .into_response()
}

fn failed_page(server: &Server, message: &str, hint: Option<&str>) -> Response {
    let heading = format!("The sign-in to {} could not begin", server.display_name);
    let page = Page::new(StatusCode::BAD_GATEWAY, Tone::Bad, heading).sentence(sentence(message));
    match hint {
        Some(hint) => page.sentence(sentence(hint)).into_response(),
        None => page.into_response(),
    }
}

fn find_link(web: &Web, ticket: &str) -> Option<(Arc<Server>, CredentialKey)> {
    let key = web.broker.ticket(ticket)?;
    Some((web.catalogue.by_id(&key.server)?, key))
}

fn is_same_origin(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let (Some(origin), Some(host)) = (headers.get("origin"), headers.get(HOST)) else {
        // Not a browser: no cookie and no other site's page is behind it.
        return headers.get("origin").is_none();
    };
    let host = host.to_str().unwrap_or_default();
    origin.to_str().is_ok_and(|origin| {
        origin
            .split_once("://")
            .is_some_and(|(_, authority)| authority == host)
    })
}

fn binding_cookie(headers: &HeaderMap) -> Option<Secret> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE_NAME)
        .map(|(_, value)| Secret::new(value))
}

/// Errors are lowercase fragments; a page wants a sentence.
fn sentence(fragment: &str) -> String {
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

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Web")
            .field("landing", &self.landing)
            .finish_non_exhaustive()
    }
}
