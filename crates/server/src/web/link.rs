//! The link that a client shows: it says what will happen, and a press of the button begins it.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use claviger_broker::{Begin, BeginError, Begun, HoldError, Link};
use claviger_crypto::{Secret, base64url_encode};
use claviger_model::Server;
use http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE};
use http::{HeaderValue, StatusCode};
use http_body::Body as _;

use super::callback::{binding_cookie, cookie_of, sentence};
use super::origin::is_same_origin;
use super::{Site, Web};
use crate::pages::{Page, Tone};

/// Ties a link to the browser that began with it.
const LINK_COOKIE: &str = "claviger_link";

/// The form has no fields; whoever sends more than this sends something else.
const MOST_FORM: u64 = 4 * 1024;

pub(super) async fn show(State(web): State<Arc<Web>>, Path(ticket): Path<String>) -> Response {
    match find(&web, &ticket, None).await {
        Ok(Some((server, _))) => link_page(&web.site, &server, &ticket, false).into_response(),
        Ok(None) => unknown_link(&web.site),
        Err(error) => not_looked_up(&web.site, &error),
    }
}

pub(super) async fn follow(
    State(web): State<Arc<Web>>,
    Path(ticket): Path<String>,
    request: Request,
) -> Response {
    // A057, A058: another site's page must not begin a sign-in here.
    if !is_same_origin(request.uri(), request.headers()) {
        return Page::new(
            StatusCode::FORBIDDEN,
            Tone::Bad,
            "Another page sent you here",
        )
        .at(&web.site)
        .sentence("A sign-in begins only on the page of its link. Nothing was started.")
        .into_response();
    }
    // The body is never read; hyper closes the connection behind one that is left.
    if request.body().size_hint().lower() > MOST_FORM {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    let start_over = request.uri().query() == Some("again");
    let cookie = cookie_of(request.headers(), LINK_COOKIE);
    let (server, link) = match find(&web, &ticket, cookie.as_ref()).await {
        Ok(Some(found)) => found,
        Ok(None) => return unknown_link(&web.site),
        Err(error) => return not_looked_up(&web.site, &error),
    };
    // Whoever else came by the link must not end, or take over, what its first browser began.
    if !link.may_follow {
        return foreign_browser(&web.site, &server);
    }
    begin(&web, &ticket, &server, link, start_over).await
}

async fn begin(web: &Web, ticket: &str, server: &Server, link: Link, start_over: bool) -> Response {
    let Ok(_place) = web.begins.try_acquire() else {
        let why = "many sign-ins are being prepared; try again in a moment";
        let page = failed_page(
            &web.site,
            server,
            StatusCode::SERVICE_UNAVAILABLE,
            why,
            None,
        );
        return ([(RETRY_AFTER, "2")], page).into_response();
    };
    let held = match web.landing.hold(&server.id).await {
        Ok(held) => held,
        Err(error) => {
            tracing::warn!(%error, "could not open the callback listener");
            let why = "the callback listener could not be opened";
            return failed_page(&web.site, server, StatusCode::BAD_GATEWAY, why, None)
                .into_response();
        }
    };
    let binding = Secret::new(base64url_encode(&web.entropy.key_bytes()));
    let begin = Begin {
        redirect_uri: held.redirect_uri.clone(),
        // A link answers a need. A credential that works is not replaced by whoever has a link.
        force: false,
        start_over,
        binding: Some(binding.clone()),
        link: Some(link.clone()),
    };
    let begun = web
        .broker
        .begin(server, &link.key.user, begin, &mut |_step| {})
        .await;
    match begun {
        Ok(Begun::Started(started)) => {
            // The listener stays open until this sign-in has come to its end.
            web.broker.when_ended(&started.id, held);
            let link = link_cookie(&web.site, ticket, &web.broker.link_cookie(&link));
            to_issuer(
                &web.site,
                server,
                &started.authorization_url,
                &binding,
                link,
            )
        }
        Ok(Begun::Connected | Begun::NoSignIn) => no_need(&web.site, server).into_response(),
        Err(BeginError::InFlight { .. }) => {
            link_page(&web.site, server, ticket, true).into_response()
        }
        Err(error) => not_begun(&web.site, server, &error),
    }
}

fn not_begun(site: &Site, server: &Server, error: &BeginError) -> Response {
    let hint = error.hint();
    tracing::info!(
        server = %server.slug,
        %error,
        hint = hint.as_deref().unwrap_or(""),
        "a sign-in could not begin"
    );
    let (status, why) = (StatusCode::BAD_GATEWAY, error.to_string());
    failed_page(site, server, status, &why, hint.as_deref()).into_response()
}

/// For the page of the link alone.
fn link_cookie(site: &Site, ticket: &str, cookie: &Secret) -> Option<HeaderValue> {
    let secure = if site.is_https { "; Secure" } else { "" };
    let cookie = format!(
        "{LINK_COOKIE}={}; Path={}/login/{ticket}; Max-Age=600; HttpOnly; SameSite=Lax{secure}",
        cookie.expose(),
        site.prefix
    );
    let mut cookie = HeaderValue::from_str(&cookie).ok()?;
    cookie.set_sensitive(true);
    Some(cookie)
}

fn to_issuer(
    site: &Site,
    server: &Server,
    authorization_url: &str,
    binding: &Secret,
    link: Option<HeaderValue>,
) -> Response {
    // A browser goes wherever it is sent; what an issuer publishes is an address of the web.
    let is_web = ["https://", "http://"]
        .iter()
        .any(|scheme| authorization_url.starts_with(scheme));
    let location = HeaderValue::from_str(authorization_url).ok();
    let (Some(mut location), Some(cookie), true) = (
        location,
        binding_cookie(site, &server.id, Some(binding)),
        is_web,
    ) else {
        let why = "its sign-in service publishes an address that no browser can open";
        return failed_page(site, server, StatusCode::BAD_GATEWAY, why, None).into_response();
    };
    location.set_sensitive(true);
    let headers = [
        (LOCATION, location),
        (SET_COOKIE, cookie),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // A067: the ticket stays here.
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    // A066: 303, so that nothing of the POST is repeated.
    let mut response = (StatusCode::SEE_OTHER, headers).into_response();
    if let Some(link) = link {
        response.headers_mut().append(SET_COOKIE, link);
    }
    response
}

fn link_page(site: &Site, server: &Server, ticket: &str, in_flight: bool) -> Page {
    let name = &server.display_name;
    let action = format!("{}/login/{ticket}", site.prefix);
    if in_flight {
        let heading = format!("A sign-in to {name} is already under way");
        return Page::new(StatusCode::CONFLICT, Tone::Plain, heading)
            .at(site)
            .sentence("Finish it in the other window, or start over here; the other one then ends.")
            .server(server)
            .button("Start over", format!("{action}?again"));
    }
    Page::new(StatusCode::OK, Tone::Plain, format!("Sign in to {name}"))
        .at(site)
        .sentence("Claviger takes you to the sign-in service of this server.")
        .sentence("What you grant there is kept sealed by Claviger; your MCP client never sees it.")
        .server(server)
        .button("Continue", action)
}

fn no_need(site: &Site, server: &Server) -> Page {
    let heading = format!("Connected to {}", server.display_name);
    Page::new(StatusCode::OK, Tone::Good, heading)
        .at(site)
        .sentence("No sign-in is needed. You can close this window.")
        .server(server)
}

fn foreign_browser(site: &Site, server: &Server) -> Response {
    let heading = "This link was used in another browser";
    Page::new(StatusCode::FORBIDDEN, Tone::Bad, heading)
        .at(site)
        .sentence("Finish the sign-in there. Nothing was started or ended here.")
        .sentence("Repeat what you were doing in your MCP client, and it will show a new link.")
        .server(server)
        .into_response()
}

fn unknown_link(site: &Site) -> Response {
    Page::new(StatusCode::NOT_FOUND, Tone::Bad, "This link has expired")
        .at(site)
        .sentence("Repeat what you were doing in your MCP client, and it will show a new one.")
        .into_response()
}

fn failed_page(
    site: &Site,
    server: &Server,
    status: StatusCode,
    why: &str,
    hint: Option<&str>,
) -> Page {
    let heading = format!("The sign-in to {} could not begin", server.display_name);
    let page = Page::new(status, Tone::Bad, heading)
        .at(site)
        .sentence(sentence(why));
    let page = match hint {
        Some(hint) => page.sentence(sentence(hint)),
        None => page,
    };
    page.server(server)
}

/// Our own trouble: the link may be as good as ever.
fn not_looked_up(site: &Site, error: &HoldError) -> Response {
    tracing::warn!(%error, "a link could not be looked up");
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let page = Page::new(status, Tone::Bad, "This link cannot be looked up just now")
        .at(site)
        .sentence("Reload this page in a moment.");
    ([(RETRY_AFTER, "2")], page).into_response()
}

async fn find(
    web: &Web,
    ticket: &str,
    cookie: Option<&Secret>,
) -> Result<Option<(Arc<Server>, Link)>, HoldError> {
    let link = web.broker.open_link(ticket, cookie).await?;
    Ok(link.and_then(|link| Some((web.catalogue.by_id(&link.key.server)?, link))))
}
