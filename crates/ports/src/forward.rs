//! Streams: a request goes on to the upstream, its answer comes back as it arrives.

use std::error::Error;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};

use crate::Reach;

/// What may go wrong inside a body.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A streaming body. It is read frame by frame and never gathered.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// A body with nothing in it.
pub fn empty_body() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body that is already here.
pub fn full_body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Why a request could not be forwarded. Texts name no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForwardError {
    /// The URL or one of its addresses is not allowed.
    #[error("the upstream's address is not allowed ({reason})")]
    Blocked {
        /// Which rule refused it.
        reason: &'static str,
    },
    /// Nothing was sent.
    #[error("could not connect to the upstream ({reason})")]
    Connect {
        /// What failed, in words of ours.
        reason: &'static str,
    },
    /// The connection broke before a response head arrived.
    #[error("the upstream broke off")]
    Broken,
    /// No response head in time.
    #[error("the upstream did not answer in time")]
    Timeout,
    /// TLS failed.
    #[error("the TLS handshake with the upstream failed ({reason})")]
    Tls {
        /// What failed, in words of ours.
        reason: &'static str,
    },
}

/// Forwards one request on a pooled, pinned connection.
///
/// The request's URI is absolute. Dropping the response's body closes the upstream request.
/// Redirects are never followed.
#[async_trait]
pub trait Forward: Send + Sync + 'static {
    /// Sends the request; resolves when the response's head is here.
    async fn forward(
        &self,
        request: Request<Body>,
        reach: &Reach,
    ) -> Result<Response<Body>, ForwardError>;
}
