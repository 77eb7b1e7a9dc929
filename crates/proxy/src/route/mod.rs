//! The routes: hosts and origins first, then the guard, then the data path.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::routing::any;
use claviger_guard::{Guard, Refusal};
use claviger_model::{Slug, TenantId};
use claviger_ports::{Body, BoxError, Clock};
use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::BodyExt;

use crate::Proxy;
use crate::reply::{Problem, json};

mod origin;

/// To which addresses the routes answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteSettings {
    /// The tenant whose servers stand at `/<server>/mcp`.
    pub tenant: TenantId,
    /// Hosts by which we are known, with a port where only that one counts. Empty means loopback.
    pub allowed_hosts: Vec<String>,
    /// Origins of pages that may call besides our own, such as `https://inspector.example`.
    pub allowed_origins: Vec<String>,
}

struct Door {
    proxy: Proxy,
    guard: Guard,
    clock: Arc<dyn Clock>,
    settings: RouteSettings,
}

impl Default for RouteSettings {
    fn default() -> Self {
        Self {
            tenant: TenantId::default_tenant(),
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
        }
    }
}

/// Routes `/<server>/mcp` through `guard` to `proxy`.
pub fn router(
    proxy: Proxy,
    guard: Guard,
    clock: Arc<dyn Clock>,
    settings: RouteSettings,
) -> Router {
    let door = Door {
        proxy,
        guard,
        clock,
        settings,
    };
    Router::new()
        .route("/{slug}/mcp", any(serve))
        .with_state(Arc::new(door))
}

async fn serve(
    State(door): State<Arc<Door>>,
    slug: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response<axum::body::Body> {
    let answer = match Box::pin(door.answer(slug, request)).await {
        Ok(answer) => answer,
        Err(problem) => problem.answer(None),
    };
    answer.map(axum::body::Body::new)
}

impl Door {
    async fn answer(
        &self,
        slug: Result<Path<String>, PathRejection>,
        request: Request,
    ) -> Result<Response<Body>, Problem> {
        origin::check(request.uri(), request.headers(), &self.settings)?;
        if !METHODS.contains(request.method()) {
            return Ok(method_not_allowed());
        }
        // G-01: authentication comes before everything that depends on the era or the server. A
        // token in the query is never looked at (A140).
        let now = self.clock.now();
        let caller = match self.guard.admit(request.headers(), now).await {
            Ok(caller) => caller,
            Err(refusal) => return Ok(refused(&refusal)),
        };
        let not_found = || Problem::refused(StatusCode::NOT_FOUND, "there is no such server");
        let Ok(Path(slug)) = slug else {
            return Err(not_found());
        };
        let Ok(slug) = Slug::parse(&slug) else {
            return Err(not_found());
        };
        // The address says whose servers these are; a token of another tenant opens none of them.
        if *caller.tenant() != self.settings.tenant {
            return Err(not_found());
        }
        let request = request.map(|body| body.map_err(boxed).boxed_unsync());
        Ok(self.proxy.handle(&caller, &slug, request).await)
    }
}

fn boxed(error: axum::Error) -> BoxError {
    Box::new(error)
}

/// Our own challenge; an upstream's never comes this way (G-06).
fn refused(refusal: &Refusal) -> Response<Body> {
    let mut response = json(refusal.status(), refusal.body());
    let headers = response.headers_mut();
    let challenge = refusal.www_authenticate();
    if let Some(Ok(challenge)) = challenge.map(HeaderValue::from_str) {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    if let Some(seconds) = refusal.retry_after_s() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// A161: no other method, whatever an override header says.
fn method_not_allowed() -> Response<Body> {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let mut response = Problem::refused(status, "use POST, GET or DELETE").answer(None);
    let allow = HeaderValue::from_static("GET, POST, DELETE");
    response.headers_mut().insert(ALLOW, allow);
    response
}

const METHODS: [Method; 3] = [Method::GET, Method::POST, Method::DELETE];
