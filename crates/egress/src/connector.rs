//! The one way from a URI to a stream; HTTP clients get no other.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io::{self, IoSlice};
use std::sync::Arc;

use claviger_ports::Reach;
use futures_util::future::BoxFuture;
use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use crate::dial::Dialer;
use crate::refusal::Refusal;
use crate::target::Target;
use crate::tls::handshake;

/// What every connection needs, whatever it is for.
pub(crate) struct Door {
    pub(crate) dialer: Dialer,
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) connect_timeout: Duration,
    pub(crate) extra_ports: Vec<u16>,
}

/// Connects within one reach. A client that is built on it pools connections of this reach alone.
#[derive(Clone)]
pub(crate) struct EgressConnector {
    door: Arc<Door>,
    reach: Reach,
}

/// A connection, encrypted or not.
#[derive(Debug)]
pub(crate) enum EgressStream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

// === impl Door ===

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").finish_non_exhaustive()
    }
}

impl Door {
    async fn open(&self, uri: &Uri, reach: &Reach) -> Result<EgressStream, Refusal> {
        // Checked again here, so that nothing an HTTP client does to a URI can go around it.
        let target = Target::check(&uri.to_string(), reach, &self.extra_ports)?;
        let connecting = async {
            let stream = self.dialer.connect(&target).await?;
            if !target.is_tls {
                return Ok(EgressStream::Plain(stream));
            }
            let stream = handshake(&self.tls, &target.host, stream).await?;
            Ok(EgressStream::Tls(Box::new(stream)))
        };
        timeout(self.connect_timeout, connecting)
            .await
            .unwrap_or(Err(Refusal::Connect("connecting took too long")))
    }
}

// === impl EgressConnector ===

impl EgressConnector {
    pub(crate) fn new(door: Arc<Door>, reach: Reach) -> Self {
        Self { door, reach }
    }
}

impl Service<Uri> for EgressConnector {
    type Response = TokioIo<EgressStream>;
    type Error = Refusal;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Self { door, reach } = self.clone();
        Box::pin(async move { door.open(&uri, &reach).await.map(TokioIo::new) })
    }
}

// === impl EgressStream ===

impl Connection for EgressStream {
    fn connected(&self) -> Connected {
        let is_h2 = match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
        };
        if is_h2 {
            Connected::new().negotiated_h2()
        } else {
            Connected::new()
        }
    }
}

impl AsyncRead for EgressStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, into),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, into),
        }
    }
}

impl AsyncWrite for EgressStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, from),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, from),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, from),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, from),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
