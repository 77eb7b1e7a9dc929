//! Small documents: metadata, registrations, token answers. Bounded in size and time.

use core::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use crate::Reach;

/// What a request is for. Limits follow from it, and the hostile-URL tests run over all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Sink {
    /// The page of an authorization endpoint, to see whether it still knows our client (64 KiB).
    AuthorizationPage,
    /// A client id metadata document (5 KiB).
    ClientDocument,
    /// Authorization server or `OpenID` metadata (64 KiB).
    IssuerMetadata,
    /// A JSON Web Key Set (64 KiB).
    KeySet,
    /// An unauthenticated MCP request that looks for a challenge (64 KiB, head is enough).
    Probe,
    /// A client registration (64 KiB).
    Registration,
    /// Protected resource metadata (64 KiB).
    ResourceMetadata,
    /// A token revocation (64 KiB).
    Revocation,
    /// A token request (64 KiB, 30 s).
    Token,
    /// A forwarded MCP request, through [`crate::Forward`].
    Upstream,
}

impl Sink {
    /// Every sink that exists.
    pub const ALL: [Self; 10] = [
        Self::AuthorizationPage,
        Self::ClientDocument,
        Self::IssuerMetadata,
        Self::KeySet,
        Self::Probe,
        Self::Registration,
        Self::ResourceMetadata,
        Self::Revocation,
        Self::Token,
        Self::Upstream,
    ];
}

/// One bounded request. Redirects are never followed.
#[derive(Clone)]
pub struct FetchRequest {
    /// What it is for.
    pub sink: Sink,
    /// The method.
    pub method: Method,
    /// The URL as it was received; `egress` checks the text before it parses it.
    pub url: String,
    /// Request headers.
    pub headers: HeaderMap,
    /// Request body.
    pub body: Option<Bytes>,
}

/// The whole answer, decoded and within the limits of the sink.
#[derive(Clone)]
pub struct FetchResponse {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

/// Why there is no answer. Texts name no address and carry no fetched byte.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The URL or one of its addresses is not allowed; `reason` is a fixed phrase of ours.
    #[error("the address is not allowed ({reason})")]
    Blocked {
        /// Which rule refused it.
        reason: &'static str,
    },
    /// Nothing was sent: name resolution or connecting failed.
    #[error("could not connect ({reason})")]
    Connect {
        /// What failed, in words of ours.
        reason: &'static str,
    },
    /// The answer broke off or was not HTTP. The request may have arrived.
    #[error("the answer broke off")]
    Broken,
    /// The deadline passed. The request may have arrived.
    #[error("no answer in time")]
    Timeout,
    /// The answer exceeds the limit of the sink.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// TLS failed: certificate or handshake.
    #[error("the TLS handshake failed ({reason})")]
    Tls {
        /// What failed, in words of ours.
        reason: &'static str,
    },
}

impl FetchError {
    /// Whether the request surely never left, so that repeating it is harmless.
    pub fn surely_unsent(&self) -> bool {
        matches!(
            self,
            Self::Blocked { .. } | Self::Connect { .. } | Self::Tls { .. }
        )
    }
}

/// Sends one bounded request within `reach`.
#[async_trait]
pub trait Fetch: Send + Sync + 'static {
    /// Sends the request and reads the whole answer.
    async fn fetch(
        &self,
        request: FetchRequest,
        reach: &Reach,
    ) -> Result<FetchResponse, FetchError>;
}

// === impl FetchRequest ===

impl FetchRequest {
    /// A `GET`.
    pub fn get(sink: Sink, url: impl Into<String>) -> Self {
        Self {
            sink,
            method: Method::GET,
            url: url.into(),
            headers: HeaderMap::new(),
            body: None,
        }
    }

    /// A `POST`.
    pub fn post(sink: Sink, url: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self {
            sink,
            method: Method::POST,
            url: url.into(),
            headers: HeaderMap::new(),
            body: Some(body.into()),
        }
    }
}

// Headers and bodies carry secrets, and so may a query.
impl fmt::Debug for FetchRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchRequest")
            .field("sink", &self.sink)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

// === impl FetchResponse ===

impl fmt::Debug for FetchResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchResponse")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
