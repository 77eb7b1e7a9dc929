//! The protected MCP server: tools behind a guard, and their issuer on the same origin.

use core::fmt;
use core::net::{Ipv4Addr, SocketAddr};
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use claviger_guard::http::{GuardLayer, metadata_router};
use claviger_guard::{Guard, GuardSettings, InvalidResource, ResourceMetadata};
use claviger_issuer::http::router as issuer_router;
use claviger_issuer::{InvalidSettings, Issuer, Observe};
use claviger_ports::system::{SystemClock, SystemEntropy};
use claviger_ports::{Clock, Tasks};
use claviger_wire::ScopeSet;
use http::{StatusCode, header};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::clock::AheadClock;
use super::counters::Counters;
use super::issuer::{OwnTokens, SCOPE_READ, issuer};
use super::tools::DemoTools;
use super::{DemoCounters, PlayError};
use crate::listen::{ListenSettings, run};

/// How the demo's server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoSettings {
    /// Life of an access token.
    pub access_ttl_s: u32,
    /// Whether clients with a secret get a new refresh token each time, too.
    pub rotates_for_all: bool,
    /// The port; 0 picks a free one.
    pub port: u16,
}

/// Starts the demo's server.
#[derive(Debug, Clone, Copy)]
pub struct ProtectedDemo;

/// The demo's server while it serves. Dropping it stops it, without waiting.
pub struct RunningDemo {
    origin: String,
    url: String,
    clock: Arc<AheadClock>,
    counters: Arc<Counters>,
    stop: CancellationToken,
    ended: oneshot::Receiver<()>,
}

/// Why the demo's server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// No port on loopback.
    #[error("could not listen on loopback")]
    Listen {
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The demo's issuer refuses its settings.
    #[error("the demo's issuer refused its settings")]
    Issuer {
        /// The cause.
        #[source]
        source: InvalidSettings,
    },
    /// The demo's resource cannot be described.
    #[error("the demo's resource could not be described")]
    Resource {
        /// The cause.
        #[source]
        source: InvalidResource,
    },
    /// The scripted browser did not come through.
    #[error("the scripted browser did not come through")]
    Visit {
        /// The cause.
        #[source]
        source: PlayError,
    },
}

// === impl DemoSettings ===

impl Default for DemoSettings {
    fn default() -> Self {
        Self {
            access_ttl_s: 600,
            rotates_for_all: true,
            port: 0,
        }
    }
}

// === impl ProtectedDemo ===

impl ProtectedDemo {
    /// Starts it on loopback, by the machine's clock and randomness.
    pub async fn start(
        settings: DemoSettings,
        tasks: Arc<dyn Tasks>,
    ) -> Result<RunningDemo, DemoError> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, settings.port));
        let bound = async {
            let listener = TcpListener::bind(address).await?;
            let port = listener.local_addr()?.port();
            io::Result::Ok((listener, port))
        };
        let (listener, port) = bound.await.map_err(|source| DemoError::Listen { source })?;
        let authority = format!("127.0.0.1:{port}");
        let origin = format!("http://{authority}");
        let url = format!("{origin}/mcp");
        let clock = Arc::new(AheadClock::new(Arc::new(SystemClock)));
        let counters = Arc::new(Counters::default());
        let issuer = issuer(
            &origin,
            &url,
            settings,
            Arc::new(SystemEntropy),
            Arc::<Counters>::clone(&counters) as Arc<dyn Observe>,
        )
        .map_err(|source| DemoError::Issuer { source })?;
        let stop = CancellationToken::new();
        let site = Site {
            issuer: Arc::new(issuer),
            clock: Arc::<AheadClock>::clone(&clock),
            counters: Arc::clone(&counters),
            stop: stop.clone(),
        };
        let app = site.router(&url, &authority)?;
        let ended = serve(&*tasks, listener, app, stop.clone());
        Ok(RunningDemo {
            origin,
            url,
            clock,
            counters,
            stop,
            ended,
        })
    }
}

fn serve(
    tasks: &dyn Tasks,
    listener: TcpListener,
    app: Router,
    stop: CancellationToken,
) -> oneshot::Receiver<()> {
    let (end, ended) = oneshot::channel();
    let work = async move {
        // The same listener as the gateway's: small answers and events go out at once.
        run(
            listener,
            app,
            ListenSettings::default(),
            stop.cancelled_owned(),
        )
        .await;
        // Nobody waits if the demo was dropped.
        end.send(()).unwrap_or_default();
    };
    tasks.spawn("demo", Box::pin(work));
    ended
}

/// What the routes are made of.
struct Site {
    issuer: Arc<Issuer>,
    clock: Arc<AheadClock>,
    counters: Arc<Counters>,
    stop: CancellationToken,
}

impl Site {
    fn router(self, url: &str, authority: &str) -> Result<Router, DemoError> {
        let clock: Arc<dyn Clock> = self.clock;
        let scopes = ScopeSet::parse_lossy(SCOPE_READ);
        let metadata = ResourceMetadata::new(url, vec![self.issuer.settings().issuer.clone()])
            .map_err(|source| DemoError::Resource { source })?
            .with_scopes(&scopes)
            .with_name("Claviger demo");
        let guard = Guard::new(
            Arc::new(OwnTokens::new(Arc::clone(&self.issuer), url.to_owned())),
            GuardSettings {
                resource_metadata_url: Some(metadata.well_known_url()),
                scopes_required: scopes,
                ..GuardSettings::default()
            },
        );
        let tools = DemoTools::new(self.counters);
        let mcp = StreamableHttpService::new(
            move || Ok(tools.clone()),
            Arc::new(LocalSessionManager::default()),
            StreamableHttpServerConfig::default()
                .with_allowed_hosts([authority])
                .with_allowed_origins([format!("http://{authority}")])
                .with_cancellation_token(self.stop),
        );
        let guarded = Router::new()
            .route_service("/mcp", mcp)
            .route_layer(GuardLayer::new(Arc::new(guard), Arc::clone(&clock)));
        let authority = Arc::<str>::from(authority);
        Ok(guarded
            .merge(metadata_router(&metadata))
            .merge(issuer_router(&self.issuer, &clock))
            .layer(from_fn(move |request: Request, next: Next| {
                only_for(Arc::clone(&authority), request, next)
            })))
    }
}

// A149: a name that somebody else resolves to loopback does not reach the demo.
async fn only_for(authority: Arc<str>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST);
    if host.is_some_and(|host| host.as_bytes() == authority.as_bytes()) {
        return next.run(request).await;
    }
    StatusCode::MISDIRECTED_REQUEST.into_response()
}

// === impl RunningDemo ===

impl RunningDemo {
    /// The MCP endpoint.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The issuer.
    pub fn issuer(&self) -> &str {
        &self.origin
    }

    /// What has happened so far.
    pub fn counters(&self) -> DemoCounters {
        self.counters.read()
    }

    /// Sets the demo's own clock forward, so that tokens expire there and nowhere else.
    pub fn advance(&self, secs: u32) {
        self.clock.advance(secs);
    }

    /// Stops serving; open requests come to their end.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Stops serving and waits until every connection has ended.
    pub async fn stopped(mut self) {
        self.stop.cancel();
        // An error means that the work was dropped with its runtime: it has ended as well.
        (&mut self.ended).await.unwrap_or_default();
    }
}

impl Drop for RunningDemo {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl fmt::Debug for RunningDemo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningDemo")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}
