//! Streams: the request goes out and its answer comes back, neither of them gathered.

use core::fmt;
use std::error::Error;

use async_trait::async_trait;
use claviger_ports::{Body, BoxError, Forward, ForwardError, Reach};
use http::uri::PathAndQuery;
use http::{Request, Response, Version, header};
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::Egress;
use crate::refusal::Refusal;
use crate::target::Target;

/// A body that ended early. Its text says nothing about who sent it.
#[derive(Debug)]
struct BrokenOff;

#[async_trait]
impl Forward for Egress {
    async fn forward(
        &self,
        request: Request<Body>,
        reach: &Reach,
    ) -> Result<Response<Body>, ForwardError> {
        let answer = self.forward_pinned(request, reach).await;
        if let Err(ForwardError::Blocked { reason }) = &answer {
            tracing::warn!(reason, "refused to forward to an address");
        }
        answer
    }
}

// === impl Egress ===

impl Egress {
    async fn forward_pinned(
        &self,
        mut request: Request<Body>,
        reach: &Reach,
    ) -> Result<Response<Body>, ForwardError> {
        let text = request.uri().to_string();
        let target = Target::check(&text, reach, &self.settings.extra_ports)?;
        let path = request.uri().path_and_query().cloned();
        let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
        *request.uri_mut() = target.uri_with(path)?;
        // The upstream learns its host from the URI, not from whoever called us.
        request.headers_mut().remove(header::HOST);
        // The version is that of this hop; ALPN decides.
        *request.version_mut() = Version::HTTP_11;
        let exchange = self.pools.client(reach).request(request);
        let Ok(response) = timeout(self.settings.head_timeout, exchange).await else {
            return Err(ForwardError::Timeout);
        };
        let response = response.map_err(|error| match Refusal::within(&error) {
            Some(refusal) => refusal.into(),
            None => ForwardError::Broken,
        })?;
        // Dropping the body resets the stream or closes the connection: hyper does both.
        Ok(response.map(|body| body.map_err(|error| broken_off(&error)).boxed_unsync()))
    }
}

// === impl BrokenOff ===

impl fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the upstream broke off")
    }
}

impl Error for BrokenOff {}

fn broken_off(error: &hyper::Error) -> BoxError {
    // The parts of the error that are hyper's own words.
    tracing::debug!(
        is_timeout = error.is_timeout(),
        is_incomplete = error.is_incomplete_message(),
        "a forwarded body broke off"
    );
    BrokenOff.into()
}
