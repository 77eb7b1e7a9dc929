//! A running server, asked over its admin socket.

use core::fmt;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::{Buf, Bytes, BytesMut};
use claviger_admin_api::{Line, Request};
use claviger_ports::{Body, BoxError};
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use crate::listen::spawn_connection;
use crate::{Gateway, GatewayError, McpRequest};

/// The admin socket of a running server.
pub(crate) struct Remote {
    socket: PathBuf,
}

impl Remote {
    /// The server behind `socket`, if one answers.
    pub(crate) async fn find(socket: &Path) -> Option<Self> {
        let reached = UnixStream::connect(socket).await.is_ok();
        reached.then(|| Self {
            socket: socket.to_owned(),
        })
    }

    async fn send(&self, request: http::Request<Full<Bytes>>) -> io::Result<Response<Incoming>> {
        let stream = UnixStream::connect(&self.socket).await?;
        let (mut sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        spawn_connection(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the admin connection ended early");
            }
        });
        sender.send_request(request).await.map_err(io::Error::other)
    }

    async fn act_inner(
        &self,
        request: Request,
        sink: &mut (dyn FnMut(Line) + Send),
    ) -> io::Result<()> {
        let body = serde_json::to_vec(&request)?;
        let request = http::Request::post("/admin/act")
            .header(HOST, "claviger")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(io::Error::other)?;
        let mut body = self.send(request).await?.into_body();
        let mut buffer = BytesMut::new();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame.map_err(io::Error::other)?.into_data() {
                buffer.extend_from_slice(&data);
            }
            while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
                let line = buffer.split_to(end);
                buffer.advance(1);
                sink(serde_json::from_slice(&line)?);
            }
        }
        Ok(())
    }

    async fn mcp_inner(&self, request: McpRequest) -> io::Result<Response<Body>> {
        let mut out = http::Request::builder()
            .method(request.method.clone())
            .uri(format!("/data/{}/mcp", request.slug))
            .body(Full::new(request.body))
            .map_err(io::Error::other)?;
        *out.headers_mut() = request.headers;
        out.headers_mut()
            .insert(HOST, http::HeaderValue::from_static("claviger"));
        if request.method == Method::POST && !out.headers().contains_key(CONTENT_TYPE) {
            let json = http::HeaderValue::from_static("application/json");
            out.headers_mut().insert(CONTENT_TYPE, json);
        }
        let response = self.send(out).await?;
        Ok(response.map(|body| {
            body.map_err(|error| -> BoxError { error.into() })
                .boxed_unsync()
        }))
    }
}

#[async_trait]
impl Gateway for Remote {
    async fn act(
        &self,
        request: Request,
        sink: &mut (dyn FnMut(Line) + Send),
    ) -> Result<(), GatewayError> {
        self.act_inner(request, sink)
            .await
            .map_err(|source| GatewayError { source })
    }

    async fn mcp(&self, request: McpRequest) -> Result<Response<Body>, GatewayError> {
        self.mcp_inner(request)
            .await
            .map_err(|source| GatewayError { source })
    }

    async fn close(&self) {}
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("socket", &self.socket)
            .finish()
    }
}
