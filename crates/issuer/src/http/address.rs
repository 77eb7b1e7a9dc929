//! Where a request comes from.

use core::convert::Infallible;
use core::net::{IpAddr, SocketAddr};

use ::http::request::Parts;
use axum::extract::{ConnectInfo, FromRequestParts};

/// The address to which limits belong. Whoever knows which proxies to believe puts it into the
/// request's extensions; without it the other end of the connection counts, if axum was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// The same, if anybody knows.
pub(super) struct Address(pub(super) Option<IpAddr>);

impl<S: Sync> FromRequestParts<S> for Address {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let told = parts.extensions.get::<ClientAddress>().map(|one| one.0);
        let peer = || {
            let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
            peer.map(|peer| peer.0.ip())
        };
        Ok(Self(told.or_else(peer)))
    }
}
