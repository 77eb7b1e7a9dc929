//! What the command line talks to: this process's own pieces, or a running server's admin socket.

use core::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use claviger_admin_api::{Line, Request};
use claviger_ports::Body;
use http::{HeaderMap, Method, Response};

/// One request on the data path, on the owner's behalf.
#[derive(Debug)]
pub struct McpRequest {
    /// The server.
    pub slug: String,
    /// `POST`, `GET` or `DELETE`.
    pub method: Method,
    /// MCP's own headers; authorization is not among them.
    pub headers: HeaderMap,
    /// The message.
    pub body: Bytes,
}

/// The gateway could not be asked at all.
#[derive(Debug, thiserror::Error)]
#[error("the running server did not answer on its admin socket")]
pub struct GatewayError {
    /// The cause.
    #[source]
    pub source: std::io::Error,
}

/// Administration and data, in this process or in a running one.
#[async_trait]
pub trait Gateway: Send + Sync + fmt::Debug {
    /// Does one administrative act; `sink` gets every line as it comes, the last one included.
    async fn act(
        &self,
        request: Request,
        sink: &mut (dyn FnMut(Line) + Send),
    ) -> Result<(), GatewayError>;

    /// The same on behalf of the process at the other end of a socket, of this user id.
    async fn act_for(
        &self,
        _peer: Option<u32>,
        request: Request,
        sink: &mut (dyn FnMut(Line) + Send),
    ) -> Result<(), GatewayError> {
        self.act(request, sink).await
    }

    /// Sends one MCP request through the data path.
    async fn mcp(&self, request: McpRequest) -> Result<Response<Body>, GatewayError>;

    /// Waits for background work and closes what this process opened.
    async fn close(&self);
}
