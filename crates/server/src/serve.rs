//! `claviger serve`: listeners, background work, an orderly end.

use core::future::Future;
use core::net::SocketAddr;
use core::time::Duration;
use std::io;
use std::path::PathBuf;
use std::process;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use claviger_config::{AuditMode, Config};
use claviger_model::Fault;
use claviger_ports::Tasks;
use claviger_proxy::RouteSettings;
use http::StatusCode;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::{App, public_host};
use crate::journal::replay_often;
use crate::listen::{self, ListenSettings};
use crate::local::Local;
use crate::open::OpenError;
use crate::tend::{look_twice, tend_file};
use crate::watch::watched;
use crate::{Gateway, rotation, socket, sweeper, tend, web};

/// What a caller may be told once the server serves.
#[derive(Debug, Clone)]
pub struct Ready {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where its own pages and servers are.
    pub base_url: String,
    /// The admin socket.
    pub admin_socket: PathBuf,
    /// The process id.
    pub pid: u32,
    /// The data directory.
    pub data_dir: PathBuf,
    /// The database: a path, or where PostgreSQL is.
    pub database: String,
    /// The key file.
    pub key_file: PathBuf,
    /// The file that holds the local API token.
    pub token_file: PathBuf,
    /// Whether the installation was made just now.
    pub is_first_start: bool,
    /// A restored copy that nobody called the live one: it sends nothing to an issuer (F33).
    pub is_held: bool,
    /// How many servers there are.
    pub servers: usize,
}

/// Why the server does not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The admin socket.
    #[error("could not open the admin socket {}", path.display())]
    AdminSocket {
        /// Where.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The address.
    #[error("could not listen on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The installation.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl ServeError {
    /// Who has to do something about it.
    pub fn fault(&self) -> Fault {
        match self {
            Self::AdminSocket { .. } | Self::Listen { .. } => Fault::Operator,
            Self::Open(source) => source.fault(),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::AdminSocket { source, .. } => Some(match source.kind() {
                io::ErrorKind::AddrInUse => {
                    "another server runs on this data directory: stop it, or use another --data-dir"
                        .to_owned()
                }
                // The kernel takes about a hundred bytes for the path of a socket.
                io::ErrorKind::InvalidInput => {
                    "its path is too long for a socket; use a shorter --data-dir".to_owned()
                }
                _ => "check that the data directory is yours and can be written".to_owned(),
            }),
            Self::Listen { address, source } => Some(match source.kind() {
                io::ErrorKind::AddrInUse => format!(
                    "another program uses port {}: stop it, or pick one with --listen \
                     127.0.0.1:PORT",
                    address.port()
                ),
                io::ErrorKind::PermissionDenied => {
                    "ports below 1024 are for the administrator; pick another one with --listen \
                     127.0.0.1:PORT"
                        .to_owned()
                }
                _ => "this machine does not have the address; listen on 127.0.0.1 with --listen \
                      127.0.0.1:PORT"
                    .to_owned(),
            }),
            Self::Open(source) => source.hint(),
        }
    }
}

/// Serves until `shutdown` resolves, then ends in order: no new connections, open requests get
/// their grace, background work such as storing a rotated token is finished.
pub async fn serve(
    config: Config,
    shutdown: impl Future<Output = ()> + Send,
    on_ready: impl FnOnce(&Ready),
) -> Result<(), ServeError> {
    tend::look_first(&config).await?;
    let address = config.server.listen;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| ServeError::Listen { address, source })?;
    let address = listener
        .local_addr()
        .map_err(|source| ServeError::Listen { address, source })?;
    let base = config.server.public_url.as_ref().map_or_else(
        || format!("http://{address}"),
        |url| url.as_str().trim_end_matches('/').to_owned(),
    );
    let app = App::compose(&config, Some(base.clone()), vec![address]).await?;
    let path = app.places.admin_socket.clone();
    let (admin, lock) = socket::bind(&path)
        .await
        .map_err(|source| ServeError::AdminSocket {
            path: path.clone(),
            source,
        })?;

    let stop = CancellationToken::new();
    let gateway: Arc<dyn Gateway> = Arc::new(Local::new(Arc::clone(&app)));
    let settings = listen_settings(&config);
    look_after(&app, &config, &stop);
    keep_audit(&app, &config);
    let admin_done = stop.clone().cancelled_owned();
    let serving_admin = listen::run(
        admin,
        watched(socket::router(gateway)),
        settings,
        admin_done,
    );
    app.tasks.spawn("admin socket", Box::pin(serving_admin));

    on_ready(&ready(&app, address, base));
    let ending = async {
        shutdown.await;
        tracing::info!("stopping");
        // Streams would outlast any grace; whoever waits for a person is told.
        app.proxy.close();
        app.broker.close();
    };
    listen::run(listener, routes(&app, &config), settings, ending).await;
    stop.cancel();
    app.broker.audit().stop();
    if let Err(error) = std::fs::remove_file(&path) {
        tracing::debug!(%error, "could not remove the admin socket");
    }
    drop(lock);
    // A refresh under way takes at most 30 s; losing its answer would cost a sign-in.
    let grace = settings.grace + Duration::from_secs(30);
    if !app.tasks.drain(grace).await {
        let running = app.tasks.running();
        tracing::warn!(running, "background work did not end in time");
    }
    app.broker.audit().close().await;
    Ok(())
}

/// What goes on beside serving until `stop`.
fn look_after(app: &Arc<App>, config: &Config, stop: &CancellationToken) {
    let following = Arc::clone(app).follow(stop.clone().cancelled_owned());
    app.tasks.spawn("follow changes", Box::pin(following));
    let days = config.keys.rotate_after_days;
    let young = rotation::keep_young(Arc::clone(app), days, stop.clone().cancelled_owned());
    app.tasks.spawn("rotate keys", Box::pin(young));
    let looking = look_twice(Arc::clone(app), stop.clone().cancelled_owned());
    app.tasks.spawn("look twice", Box::pin(looking));
    if !app.is_shared {
        let tending = tend_file(Arc::clone(app), stop.clone().cancelled_owned());
        app.tasks.spawn("tend the database", Box::pin(tending));
    }
    let sweeping = sweeper::run(
        app.broker.clone(),
        Arc::clone(&app.clock),
        Arc::clone(&app.entropy),
        stop.clone().cancelled_owned(),
    );
    app.tasks.spawn("sweep", Box::pin(sweeping));
    let revoking = app.broker.clone().drive_revocations();
    app.tasks.spawn("revocations", Box::pin(revoking));
    let stopped = stop.clone().cancelled_owned();
    let replaying = replay_often(app.broker.clone(), Arc::clone(&app.clock), stopped);
    app.tasks.spawn("replay journals", Box::pin(replaying));
}

/// Checkpoints and pruning belong to a server; a command that lives for a second does neither.
fn keep_audit(app: &App, config: &Config) {
    if config.audit.mode == AuditMode::Off {
        tracing::warn!(
            "audit.mode is \"off\": nobody will be able to tell which credential was used, when \
             and by whom; changes are recorded all the same"
        );
    }
    let audit = Arc::clone(app.broker.audit());
    app.tasks
        .spawn("audit upkeep", Box::pin(async move { audit.keep().await }));
}

fn routes(app: &Arc<App>, config: &Config) -> Router {
    // Behind a reverse proxy the public name arrives in `Host`; loopback is ours all the same.
    let allowed_hosts = public_host(config).map_or_else(Vec::new, |host| {
        let mut hosts: Vec<_> = ["127.0.0.1", "[::1]", "localhost"]
            .map(str::to_owned)
            .into();
        hosts.push(host);
        hosts
    });
    let proxy = claviger_proxy::router(
        app.proxy.clone(),
        app.guard.clone(),
        Arc::clone(&app.clock),
        RouteSettings {
            allowed_hosts,
            ..RouteSettings::default()
        },
    );
    let health = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .with_state(Arc::clone(app));
    watched(health.merge(web::router(Arc::clone(&app.web))).merge(proxy))
}

/// Whether the database answers, without asking it: whoever may connect may ask us this often.
async fn readyz(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    if app.pulse.is_ready(app.clock.monotonic_ms()) {
        let word = if app.broker.is_held() {
            // It serves what is valid, and says why it does no more (F33).
            "ready, and held: a restored copy, until `claviger restore --confirm-live`\n"
        } else {
            "ready\n"
        };
        (StatusCode::OK, word)
    } else {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        (status, "the database does not answer\n")
    }
}

fn listen_settings(config: &Config) -> ListenSettings {
    ListenSettings {
        connections: usize::try_from(config.limits.connections).unwrap_or(usize::MAX),
        head_timeout: Duration::from_secs(u64::from(config.limits.header_timeout_s)),
        head_bytes: usize::try_from(config.limits.header_bytes).unwrap_or(usize::MAX),
        grace: Duration::from_secs(u64::from(config.server.shutdown_grace_s)),
    }
}

fn ready(app: &App, address: SocketAddr, base_url: String) -> Ready {
    Ready {
        address,
        base_url,
        admin_socket: app.places.admin_socket.clone(),
        pid: process::id(),
        data_dir: app.places.data_dir.clone(),
        database: app.database.clone(),
        key_file: app.places.key_file.clone(),
        token_file: app.places.token_file.clone(),
        is_first_start: app.is_first_start,
        is_held: app.broker.is_held(),
        servers: app.catalogue.len(),
    }
}
