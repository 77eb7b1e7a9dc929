//! This process's own pieces, asked directly.

use std::sync::Arc;

use async_trait::async_trait;
use claviger_admin_api::{Line, Request};
use claviger_broker::Actor;
use claviger_crypto::{Secret, TokenKind, mint};
use claviger_guard::{Access, Guard, GuardSettings, Verified, Verify, VerifyError};
use claviger_model::{Slug, TenantId, Timestamp, UserId};
use claviger_ports::{Body, full_body};
use claviger_wire::ScopeSet;
use core::time::Duration;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use crate::act;
use crate::app::App;
use crate::{Gateway, GatewayError, McpRequest};

/// How long background work may take when a command ends.
const LAST_WORK: Duration = Duration::from_secs(40);

/// The pieces of this process, on the owner's behalf.
#[derive(Debug)]
pub(crate) struct Local {
    app: Arc<App>,
    owner: Guard,
    credentials: HeaderMap,
}

/// Knows one token, made for this process alone: whoever may open the database or the admin
/// socket is the owner. A `Caller` comes out of a guard here as everywhere else.
#[derive(Debug)]
struct OwnerOnly(Secret);

impl Local {
    pub(crate) fn new(app: Arc<App>) -> Self {
        let token = mint(TokenKind::Api, app.entropy.key_bytes());
        let mut credentials = HeaderMap::new();
        if let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {}", token.expose())) {
            value.set_sensitive(true);
            credentials.insert(AUTHORIZATION, value);
        }
        let owner = Guard::new(Arc::new(OwnerOnly(token)), GuardSettings::default());
        Self {
            app,
            owner,
            credentials,
        }
    }
}

#[async_trait]
impl Verify for OwnerOnly {
    async fn verify(&self, token: &Secret, _now: Timestamp) -> Result<Verified, VerifyError> {
        if !self.0.matches(token) {
            return Err(VerifyError::Unknown);
        }
        Ok(Verified {
            tenant: TenantId::default_tenant(),
            user: UserId::owner(),
            client: None,
            token: None,
            scopes: ScopeSet::new(),
            access: Access::All,
        })
    }
}

#[async_trait]
impl Gateway for Local {
    async fn act(
        &self,
        request: Request,
        sink: &mut (dyn FnMut(Line) + Send),
    ) -> Result<(), GatewayError> {
        let admin = self.app.broker.audit().admin();
        act::act(&self.app, admin, request, sink).await;
        Ok(())
    }

    async fn act_for(
        &self,
        peer: Option<u32>,
        request: Request,
        sink: &mut (dyn FnMut(Line) + Send),
    ) -> Result<(), GatewayError> {
        act::act(&self.app, Actor::Socket(peer), request, sink).await;
        Ok(())
    }

    async fn mcp(&self, request: McpRequest) -> Result<Response<Body>, GatewayError> {
        let Ok(slug) = Slug::parse(&request.slug) else {
            return Ok(refused(StatusCode::NOT_FOUND, "there is no such server"));
        };
        let mut forwarded = http::Request::new(full_body(request.body));
        *forwarded.method_mut() = request.method;
        *forwarded.headers_mut() = request.headers;
        let now = self.app.clock.now();
        let Ok(owner) = self.owner.admit(&self.credentials, now).await else {
            return Ok(refused(
                StatusCode::UNAUTHORIZED,
                "the owner was not recognized",
            ));
        };
        Ok(self.app.proxy.handle(&owner, &slug, forwarded).await)
    }

    async fn close(&self) {
        self.app.broker.close();
        self.app.broker.audit().stop();
        // Whatever a command began, such as storing a rotated token, is finished first.
        if !self.app.tasks.drain(LAST_WORK).await {
            tracing::warn!(
                running = self.app.tasks.running(),
                "background work did not end in time"
            );
        }
        self.app.broker.audit().close().await;
    }
}

fn refused(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(full_body(text));
    *response.status_mut() = status;
    response
}
