//! From a checked target to a connected socket: look up, vet every address, dial only those.

use core::time::Duration;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};

use claviger_ports::Resolve;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Host;

use crate::EgressSettings;
use crate::classify::{AddressClass, classify};
use crate::refusal::Refusal;
use crate::target::Target;

/// Opens a socket; replaced in tests that must see which address is dialled.
pub(crate) trait Dial: Send + Sync + 'static {
    fn dial(&self, address: SocketAddr) -> BoxFuture<'static, io::Result<TcpStream>>;
}

/// The kernel's sockets.
#[derive(Debug)]
pub(crate) struct SystemDial;

/// Resolves, vets and dials.
pub(crate) struct Dialer {
    resolver: Arc<dyn Resolve>,
    dial: Arc<dyn Dial>,
    own: RwLock<Vec<SocketAddr>>,
    nat64_prefix: Option<Ipv6Addr>,
}

// === impl SystemDial ===

impl Dial for SystemDial {
    fn dial(&self, address: SocketAddr) -> BoxFuture<'static, io::Result<TcpStream>> {
        Box::pin(TcpStream::connect(address))
    }
}

// === impl Dialer ===

impl Dialer {
    pub(crate) fn new(
        resolver: Arc<dyn Resolve>,
        dial: Arc<dyn Dial>,
        settings: &EgressSettings,
    ) -> Self {
        Self {
            resolver,
            dial,
            own: RwLock::new(settings.own_addresses.clone()),
            nat64_prefix: settings.nat64_prefix,
        }
    }

    pub(crate) fn add_own(&self, address: SocketAddr) {
        let mut own = self.own.write().unwrap_or_else(PoisonError::into_inner);
        if !own.contains(&address) {
            own.push(address);
        }
    }

    /// Connects to one of the vetted addresses of the target.
    pub(crate) async fn connect(&self, target: &Target) -> Result<TcpStream, Refusal> {
        let addresses = self.vetted(target).await?;
        let stream = self.race(addresses).await?;
        if self.reached_itself(&stream) {
            return Err(Refusal::Blocked("the address is our own"));
        }
        // Requests are small, and each waits for its answer.
        stream
            .set_nodelay(true)
            .or(Err(Refusal::Connect("the connection closed at once")))?;
        Ok(stream)
    }

    // A009: the addresses that were vetted are the ones dialled; the name is looked up once.
    async fn vetted(&self, target: &Target) -> Result<Vec<SocketAddr>, Refusal> {
        let addresses = match &target.host {
            Host::Ipv4(address) => vec![IpAddr::V4(*address)],
            Host::Ipv6(address) => vec![IpAddr::V6(*address)],
            Host::Domain(name) => match self.resolver.resolve(name).await {
                Ok(addresses) if !addresses.is_empty() => addresses,
                Ok(_) | Err(_) => {
                    return Err(Refusal::Connect("the name could not be resolved"));
                }
            },
        };
        let mut vetted = Vec::with_capacity(addresses.len());
        // A010: one bad answer refuses all, or an attacker needs only patience.
        for ip in addresses {
            match classify(ip, self.nat64_prefix) {
                // C-69: what an operator opens is a network of his own; on the way to a public
                // address anybody reads what is sent in the clear.
                AddressClass::Public if !target.is_tls => {
                    return Err(Refusal::Blocked(
                        "the address is public and the scheme is http",
                    ));
                }
                AddressClass::Public => {}
                AddressClass::Private if target.is_opened => {}
                AddressClass::Private => {
                    return Err(Refusal::Blocked("the address is private"));
                }
                AddressClass::Forbidden => {
                    return Err(Refusal::Blocked("the address is reserved"));
                }
            }
            let address = SocketAddr::new(ip, target.port);
            if self.is_own(address) {
                return Err(Refusal::Blocked("the address is our own"));
            }
            if !vetted.contains(&address) {
                vetted.push(address);
            }
        }
        Ok(alternated(vetted))
    }

    // A026: a server whose URL is ours would make us call ourselves until something gives.
    fn is_own(&self, address: SocketAddr) -> bool {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        // A socket that takes both families names IPv4 addresses in the IPv6 way.
        let ip = address.ip().to_canonical();
        own.iter().any(|own| {
            let here = own.ip().to_canonical();
            let is_here = here == ip || here.is_unspecified() && ip.is_loopback();
            is_here && own.port() == address.port()
        })
    }

    // A listener on every interface is also reached by an address of this machine that is no
    // loopback one. The kernel then picks the same address for both ends.
    fn reached_itself(&self, stream: &TcpStream) -> bool {
        let (Ok(local), Ok(peer)) = (stream.local_addr(), stream.peer_addr()) else {
            return false;
        };
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        local.ip().to_canonical() == peer.ip().to_canonical()
            && own
                .iter()
                .any(|own| own.ip().to_canonical().is_unspecified() && own.port() == peer.port())
    }

    // RFC 8305 §5: the next address is tried when one fails or takes long, and the first wins.
    async fn race(&self, addresses: Vec<SocketAddr>) -> Result<TcpStream, Refusal> {
        let mut waiting = addresses.into_iter().take(MAX_ATTEMPTS);
        let mut running = FuturesUnordered::new();
        loop {
            if let Some(address) = waiting.next() {
                running.push(self.dial.dial(address));
            } else if running.is_empty() {
                return Err(Refusal::Connect("no address accepts connections"));
            }
            let step = if waiting.len() == 0 {
                running.next().await
            } else {
                timeout(STAGGER, running.next()).await.unwrap_or_default()
            };
            match step {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(error)) => {
                    tracing::debug!(kind = ?error.kind(), "an address does not accept connections");
                }
                None => {}
            }
        }
    }
}

// RFC 8305 §4: the families take turns, starting with the resolver's first choice.
fn alternated(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let starts_with_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == starts_with_v6);
    let mut alternated = Vec::with_capacity(first.len() + second.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        match (first.next(), second.next()) {
            (None, None) => return alternated,
            (one, other) => alternated.extend(one.into_iter().chain(other)),
        }
    }
}

const STAGGER: Duration = Duration::from_millis(250);
const MAX_ATTEMPTS: usize = 6;

#[cfg(test)]
mod tests;
