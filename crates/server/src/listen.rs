//! Listeners: our own accept loop, so that slow headers, open connections and shutdown are ours
//! to decide (M10 of `security.md`: `axum::serve` gives none of them).

use core::future::Future;
use core::time::Duration;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tracing::{debug, warn};

/// What bounds the connections of a listener.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListenSettings {
    /// How many connections may be open at once.
    pub(crate) connections: usize,
    /// How long a client may take for its request head.
    pub(crate) head_timeout: Duration,
    /// How long open connections may take to end at shutdown.
    pub(crate) grace: Duration,
}

impl Default for ListenSettings {
    fn default() -> Self {
        Self {
            connections: 4_096,
            head_timeout: Duration::from_secs(10),
            grace: Duration::from_secs(10),
        }
    }
}

/// Something that accepts connections.
#[async_trait]
pub(crate) trait Accept: Send {
    /// A connection.
    type Io: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// The next connection.
    async fn accept_next(&mut self) -> io::Result<Self::Io>;
}

#[async_trait]
impl Accept for TcpListener {
    type Io = tokio::net::TcpStream;

    async fn accept_next(&mut self) -> io::Result<Self::Io> {
        let (stream, _) = self.accept().await?;
        // Small answers and SSE events go out at once.
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "could not set TCP_NODELAY");
        }
        Ok(stream)
    }
}

#[async_trait]
impl Accept for UnixListener {
    type Io = tokio::net::UnixStream;

    async fn accept_next(&mut self) -> io::Result<Self::Io> {
        Ok(self.accept().await?.0)
    }
}

/// Serves `router` until `shutdown` resolves, then lets open requests end within the grace.
pub(crate) async fn run<A: Accept>(
    mut listener: A,
    router: Router,
    settings: ListenSettings,
    shutdown: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(settings.connections));
    let mut shutdown = core::pin::pin!(shutdown);
    loop {
        // A place first: beyond the cap, the kernel's queue is the waiting room.
        let place = tokio::select! {
            () = &mut shutdown => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept_next() => accepted,
        };
        let io = match accepted {
            Ok(io) => io,
            Err(error) => {
                // Out of descriptors (A246): existing connections end and free some.
                warn!(%error, "could not accept a connection");
                tokio::task::yield_now().await;
                continue;
            }
        };
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(settings.head_timeout)
            .max_buf_size(64 * 1024);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(128);
        let service = TowerToHyperService::new(router.clone());
        let connection = builder
            .serve_connection_with_upgrades(TokioIo::new(io), service)
            .into_owned();
        let connection = graceful.watch(connection);
        spawn_connection(async move {
            if let Err(error) = connection.await {
                debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(settings.grace, graceful.shutdown())
        .await
        .is_err()
    {
        warn!("connections were still open when the grace period ended");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a connection ends with its other side; those we accept are awaited through \
              GracefulShutdown, which is their task tracker"
)]
pub(crate) fn spawn_connection(connection: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(connection));
}
