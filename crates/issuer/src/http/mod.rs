//! The issuer on axum.

mod address;
mod device;
mod form;
mod metadata;
mod pages;
mod registration;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use claviger_ports::Clock;

use crate::{Issuer, RegistrationMode};

pub use address::ClientAddress;
pub use metadata::well_known_fallback;

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
    let path = |name| issuer.endpoint_path(name);
    let mut router = Router::new()
        .route(&path("authorize"), get(pages::ask).post(pages::decide))
        .route(&path("device"), get(device::page).post(device::enter))
        .route(
            &path("token"),
            post(form::token).options(form::preflight),
        )
        .route(
            &path("revoke"),
            post(form::revoke).options(form::preflight),
        )
        .route(&path("oauth/par"), post(form::push).options(form::preflight))
        .route(
            &path("oauth/device_authorization"),
            post(form::authorize_device).options(form::preflight),
        )
        // Resources are no browsers: nobody else's page asks here.
        .route(&path("oauth/introspect"), post(form::introspect))
        .route(
            &path("oauth/jwks"),
            get(metadata::keys).options(metadata::preflight),
        );
    if issuer.settings().registration != RegistrationMode::Off {
        let own = get(registration::read)
            .put(registration::update)
            .delete(registration::delete)
            .options(registration::preflight);
        router = router
            .route(
                &path("register"),
                post(registration::register).options(form::preflight),
            )
            .route(&path("register/{client_id}"), own);
    }
    router
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(shared)
        .merge(metadata::router(issuer))
}
