//! Who may see our pages: requests for a name of ours, and forms from pages of ours.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, StatusCode, Uri};

use super::Web;
use crate::pages::{Page, Tone};

/// A193, A149: a page that rebound its name to loopback says so in `Host`.
pub(super) async fn check_host(
    State(web): State<Arc<Web>>,
    request: Request,
    next: Next,
) -> Response {
    let authority = authority(request.uri(), request.headers());
    if authority.is_some_and(|authority| is_ours(&web, authority)) {
        return next.run(request).await;
    }
    let page = Page::new(
        StatusCode::FORBIDDEN,
        Tone::Bad,
        "This is not an address of Claviger",
    );
    page.sentence("Open Claviger under the address it printed when it started.")
        .sentence("If it has a public address, the setting server.public_url has to name it.")
        .into_response()
}

fn is_ours(web: &Web, authority: &str) -> bool {
    let name = match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    };
    let is_loopback = ["127.0.0.1", "[::1]", "localhost"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name));
    let public = web.site.host.as_deref();
    is_loopback || public.is_some_and(|known| known.eq_ignore_ascii_case(name))
}

/// Whom the request is for. HTTP/2 says it in the URI, HTTP/1.1 in `Host`; who says it twice must
/// say the same.
fn authority<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let mut named = headers.get_all(HOST).iter();
    let host = match named.next() {
        Some(host) => Some(host.to_str().ok()?),
        None => None,
    };
    if named.next().is_some() {
        return None;
    }
    match (uri.authority().map(http::uri::Authority::as_str), host) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other).then_some(one),
        (one, other) => one.or(other),
    }
}

/// A057, A058: whether a form was sent by a page of ours.
pub(super) fn is_same_origin(uri: &Uri, headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(ORIGIN) else {
        // Every browser of this decade says one or the other; this is none, and so it carries no
        // cookies and speaks for no other site's page.
        return true;
    };
    let origin = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"));
    let ours = authority(uri, headers);
    origin.is_some_and(|(_, origin)| ours.is_some_and(|ours| ours.eq_ignore_ascii_case(origin)))
}
