//! The issuer on axum.

mod form;
mod metadata;
mod pages;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use claviger_ports::Clock;

use crate::{Issuer, RegistrationMode};

/// No message of any client is longer (A032).
const MAX_BODY_BYTES: usize = 64 * 1024;

/// What the handlers share.
#[derive(Clone)]
struct Shared {
    issuer: Arc<Issuer>,
    clock: Arc<dyn Clock>,
}

/// Every endpoint of the issuer, at the paths its metadata names.
pub fn router(issuer: &Arc<Issuer>, clock: &Arc<dyn Clock>) -> Router {
    let shared = Shared {
        issuer: Arc::clone(issuer),
        clock: Arc::clone(clock),
    };
    let form =
        |router: Router<Shared>, name, route| router.route(&issuer.endpoint_path(name), route);
    let mut router = Router::new();
    router = form(router, "authorize", get(pages::ask).post(pages::decide));
    router = form(router, "token", post(form::token).options(form::preflight));
    router = form(
        router,
        "revoke",
        post(form::revoke).options(form::preflight),
    );
    if issuer.settings().registration == RegistrationMode::Open {
        router = form(
            router,
            "register",
            post(form::register).options(form::preflight),
        );
    }
    router
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(shared)
        .merge(metadata::router(issuer))
}
