//! What stands beside the sign-in: a page for whoever comes by, the icon, and nothing else.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};

use super::Web;
use crate::pages::{ICON, Page, Tone};

/// Somebody opened the bare address: it works, and this is what it is for.
pub(super) async fn home(State(web): State<Arc<Web>>) -> Page {
    let page = Page::new(StatusCode::OK, Tone::Plain, "Claviger is running");
    page.at(&web.site)
        .sentence("MCP clients reach every server under this address, each at its own path.")
        .fact("Path", "/<server>/mcp")
        .fact("See the servers", "claviger server list")
        .fact("Sign in to one", "claviger login <server>")
}

pub(super) async fn icon() -> Response {
    let headers = [
        (CONTENT_TYPE, "image/svg+xml"),
        (CACHE_CONTROL, "public, max-age=86400"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, ICON).into_response()
}

/// People get a page, programs a line.
pub(super) async fn not_found(State(web): State<Arc<Web>>, request: Request) -> Response {
    let accept = request.headers().get(ACCEPT);
    let wants_page = accept
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    if !wants_page {
        return (StatusCode::NOT_FOUND, "there is nothing here\n").into_response();
    }
    Page::new(StatusCode::NOT_FOUND, Tone::Bad, "There is nothing here")
        .at(&web.site)
        .sentence("Check the address. MCP servers are at /<server>/mcp, for MCP clients.")
        .into_response()
}
