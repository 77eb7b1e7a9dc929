//! Listeners: our own accept loop, so that slow headers, open connections and shutdown are ours
//! to decide (M10 of `security.md`: `axum::serve` gives none of them).

use core::future::Future;
use core::time::Duration;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use axum::{Extension, Router};
use claviger_ports::Clock;
use claviger_ports::system::SystemClock;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tracing::{debug, info, warn};

use crate::opening::Opening;

/// What bounds the connections of a listener.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListenSettings {
    /// How many connections may be open at once.
    pub(crate) connections: usize,
    /// How long a client may take for its request head.
    pub(crate) head_timeout: Duration,
    /// How large a request head may be, in bytes.
    pub(crate) head_bytes: usize,
    /// How long open connections may take to end at shutdown.
    pub(crate) grace: Duration,
}

impl Default for ListenSettings {
    fn default() -> Self {
        Self {
            connections: 4_096,
            head_timeout: Duration::from_secs(10),
            head_bytes: 64 * 1024,
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

    /// Whose process is at its other end, where the system tells it.
    fn peer(_io: &Self::Io) -> Peer {
        Peer(None)
    }
}

/// The user id of the process at the other end of a connection; a request carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer(pub(crate) Option<u32>);

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

    fn peer(io: &Self::Io) -> Peer {
        Peer(io.peer_cred().ok().map(|peer| peer.uid()))
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
    let mut failures = 0_u64;
    loop {
        // A place first: beyond the cap, the kernel's queue is the waiting room.
        let accepting = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept_next().await, place)
        };
        let (accepted, place) = tokio::select! {
            () = &mut shutdown => break,
            accepted = accepting => accepted,
        };
        let io = match accepted {
            Ok(io) => io,
            Err(error) => {
                // A246: out of descriptors, mostly; connections end and free some. One line for
                // each bad spell, and a pause, or the log and a core would be full of it.
                if failures == 0 {
                    warn!(%error, "could not accept a connection; trying on");
                }
                failures = failures.saturating_add(1);
                tokio::select! {
                    () = &mut shutdown => break,
                    () = SystemClock.sleep(ACCEPT_PAUSE) => continue,
                }
            }
        };
        if failures > 0 {
            info!(failures, "connections are accepted again");
            failures = 0;
        }
        let router = router.clone().layer(Extension(A::peer(&io)));
        let service = TowerToHyperService::new(router);
        let connection = builder(settings)
            .serve_connection_with_upgrades(
                TokioIo::new(Opening::new(io, settings.head_timeout)),
                service,
            )
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
    let ended = tokio::time::timeout(settings.grace, graceful.shutdown()).await;
    if ended.is_err() {
        warn!("connections were still open when the grace period ended");
    }
}

fn builder(settings: ListenSettings) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.head_timeout)
        .max_buf_size(settings.head_bytes.saturating_add(BEYOND_HEAD));
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(H2_PING))
        .keep_alive_timeout(H2_PING)
        .max_header_list_size(u32::try_from(settings.head_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(128);
    builder
}

/// How long to wait when nothing can be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often an HTTP/2 client is asked whether it is still there, and how long it may take.
const H2_PING: Duration = Duration::from_secs(20);

/// Room in the read buffer beyond a request head.
const BEYOND_HEAD: usize = 16 * 1024;

#[expect(
    clippy::disallowed_methods,
    reason = "a connection ends with its other side; those we accept are awaited through \
              GracefulShutdown, which is their task tracker"
)]
pub(crate) fn spawn_connection(connection: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(connection));
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::net::TcpStream;
    use tokio_util::sync::CancellationToken;

    use super::*;

    fn quick() -> ListenSettings {
        ListenSettings {
            connections: 2,
            head_timeout: Duration::from_millis(200),
            grace: Duration::from_secs(5),
            ..ListenSettings::default()
        }
    }

    async fn serve(settings: ListenSettings) -> (core::net::SocketAddr, CancellationToken) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let router = Router::new().route("/", get(async || "hello"));
        let stopped = stop.clone().cancelled_owned();
        spawn_connection(async move { run(listener, router, settings, stopped).await });
        (address, stop)
    }

    async fn read_end(stream: &mut TcpStream) -> String {
        let mut text = String::new();
        let reading = stream.read_to_string(&mut text);
        let read = tokio::time::timeout(Duration::from_secs(5), reading).await;
        // A reset is an end as well.
        drop(read.expect("the server closes the connection"));
        text
    }

    #[tokio::test]
    async fn a234_slow_heads_are_closed_whatever_they_begin_with() {
        let (address, _stop) = serve(quick()).await;
        for beginning in [
            "",
            "P",
            "PRI * HTTP/2.0\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n",
        ] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(beginning.as_bytes()).await.unwrap();
            let text = read_end(&mut stream).await;
            assert!(!text.contains("hello"), "{beginning}: {text}");
        }
    }

    #[tokio::test]
    async fn beyond_the_cap_connections_wait_and_are_served_later() {
        let (address, _stop) = serve(quick()).await;
        let first = TcpStream::connect(address).await.unwrap();
        let second = TcpStream::connect(address).await.unwrap();
        let mut third = TcpStream::connect(address).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        third.write_all(request).await.unwrap();
        // The two that say nothing hold both places until they are closed for their silence.
        assert!(read_end(&mut third).await.ends_with("hello"));
        drop((first, second));
    }

    /// Gives errors first.
    struct Failing {
        errors: usize,
        then: VecDeque<DuplexStream>,
    }

    #[async_trait]
    impl Accept for Failing {
        type Io = DuplexStream;

        async fn accept_next(&mut self) -> io::Result<DuplexStream> {
            if let Some(left) = self.errors.checked_sub(1) {
                self.errors = left;
                // EMFILE
                return Err(io::Error::from_raw_os_error(24));
            }
            match self.then.pop_front() {
                Some(io) => Ok(io),
                None => core::future::pending().await,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a246_the_accept_loop_survives_a_lack_of_descriptors() {
        let (mut client, server) = duplex(4096);
        let failing = Failing {
            errors: 3,
            then: [server].into(),
        };
        let router = Router::new().route("/", get(async || "hello"));
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        spawn_connection(async move { run(failing, router, quick(), stopped).await });
        let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        client.write_all(request).await.unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        assert!(text.ends_with("hello"), "{text}");
        stop.cancel();
    }
}
