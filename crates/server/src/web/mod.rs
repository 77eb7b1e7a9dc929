//! The pages on the way of a sign-in, and whoever may see them.

use core::fmt;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, get, on};
use claviger_broker::Broker;
use claviger_ports::Entropy;
use http::StatusCode;
use tokio::sync::Semaphore;

use crate::catalogue::MemoryCatalogue;
use crate::landing::Landing;

mod callback;
mod home;
mod link;
mod origin;

/// What the pages need.
pub(crate) struct Web {
    pub(crate) broker: Broker,
    pub(crate) catalogue: Arc<MemoryCatalogue>,
    pub(crate) landing: Arc<Landing>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) site: Site,
    /// Sign-ins that are being prepared right now: each asks other people's servers several times.
    pub(crate) begins: Semaphore,
}

/// Under which address people see our pages.
#[derive(Debug, Clone, Default)]
pub(crate) struct Site {
    /// The host of the public URL, besides loopback, without port.
    pub(crate) host: Option<String>,
    /// The path of the public URL, without a slash at its end.
    pub(crate) prefix: String,
    /// Whether browsers come by `https`.
    pub(crate) is_https: bool,
}

/// How many sign-ins may be prepared at once.
pub(crate) const BEGINS: usize = 8;

/// The routes of the link and the callback.
pub(crate) fn router(web: Arc<Web>) -> Router {
    // A HEAD of a link checker must not use up what the browser brings a moment later.
    let not_by_head = || on(MethodFilter::HEAD, async || StatusCode::METHOD_NOT_ALLOWED);
    Router::new()
        .route("/", get(home::home))
        .route("/favicon.ico", get(home::icon))
        .route("/favicon.svg", get(home::icon))
        .route("/callback/{server}", not_by_head().get(callback::callback))
        .route("/login/{ticket}", get(link::show).post(link::follow))
        .fallback(home::not_found)
        .layer(from_fn_with_state(Arc::clone(&web), origin::check_host))
        .with_state(web)
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Web")
            .field("landing", &self.landing)
            .field("site", &self.site)
            .finish_non_exhaustive()
    }
}
