//! `[server]`: the listener.

use core::net::{Ipv4Addr, SocketAddr};

use url::{Host, Url};

use crate::keys::Keys;

/// The listener.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerSettings {
    /// Where it listens: an IP literal and a port; port 0 picks one. Only loopback is served
    /// without TLS.
    ///
    /// `CLAVIGER_SERVER_LISTEN`, default `127.0.0.1:7447`.
    pub listen: SocketAddr,
    /// The address under which clients reach it, if that is another: `https`, or `http` on
    /// loopback. It is never taken from a request.
    ///
    /// `CLAVIGER_SERVER_PUBLIC_URL`, not set.
    pub public_url: Option<Url>,
    /// How long requests under way may take when it stops, in seconds.
    ///
    /// `CLAVIGER_SERVER_SHUTDOWN_GRACE_S`, default 10, from 0 to 3600.
    pub shutdown_grace_s: u32,
}

impl ServerSettings {
    pub(crate) fn read(keys: &mut Keys<'_, '_>) -> Self {
        Self {
            listen: keys.read(
                "listen",
                SocketAddr::from((Ipv4Addr::LOCALHOST, 7447)),
                "accepted is an IP address and a port, such as 127.0.0.1:7447 or [::1]:0",
                check_listen,
            ),
            public_url: keys.read(
                "public_url",
                None,
                "accepted is an https URL, such as https://gateway.example",
                check_public_url,
            ),
            shutdown_grace_s: keys.read("shutdown_grace_s", 10, GRACE, |seconds| {
                if *seconds <= 3600 { Ok(()) } else { Err(GRACE) }
            }),
        }
    }
}

/// A229: without TLS, whoever is on the way reads the tokens.
fn check_listen(address: &SocketAddr) -> Result<(), &'static str> {
    if address.ip() != address.ip().to_canonical() {
        // It would be listened on, and then no request would name its host the way it is written.
        Err("write an IPv4 address as one, such as 127.0.0.1:7447")
    } else if address.ip().is_loopback() {
        Ok(())
    } else {
        Err(
            "this would serve tokens without TLS: listen on 127.0.0.1 and put a reverse proxy \
             with TLS on this machine in front (and set server.public_url)",
        )
    }
}

#[expect(clippy::ref_option, reason = "the signature of a check")]
fn check_public_url(url: &Option<Url>) -> Result<(), &'static str> {
    let Some(url) = url else { return Ok(()) };
    let is_loopback = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    // A229: an http issuer off loopback can be impersonated by anybody on the way.
    match url.scheme() {
        _ if !is_plain => Err("accepted is a URL without user, query and fragment"),
        "https" => Ok(()),
        "http" if is_loopback => Ok(()),
        _ => Err("accepted is an https URL; http is accepted on loopback only"),
    }
}

const GRACE: &str = "accepted is a number of seconds from 0 to 3600";
