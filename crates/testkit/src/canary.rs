//! A loopback listener that nobody may touch.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Mutex;

/// Counts the connections made to it and answers none.
///
/// The kernel completes a connection before anybody accepts it, so counting late misses nothing and
/// needs no task of its own.
#[derive(Debug)]
pub struct Canary {
    listener: TcpListener,
    address: SocketAddr,
    touches: Mutex<usize>,
}

// === impl Canary ===

impl Canary {
    /// Listens on a free port of 127.0.0.1.
    pub fn v4() -> Self {
        Self::on(IpAddr::V4(Ipv4Addr::LOCALHOST), 0).expect("127.0.0.1 has a free port")
    }

    /// Listens on a free port of `::1`; `None` where the machine has no IPv6.
    pub fn v6() -> Option<Self> {
        Self::on(IpAddr::V6(Ipv6Addr::LOCALHOST), 0)
    }

    /// One canary on 127.0.0.1 and, where the machine has IPv6, one on `::1`, both on one port.
    pub fn pair() -> (Self, Option<Self>) {
        let Some(v6) = Self::v6() else {
            return (Self::v4(), None);
        };
        for _ in 0..100 {
            let v4 = Self::v4();
            if let Some(v6) = Self::on(IpAddr::V6(Ipv6Addr::LOCALHOST), v4.port()) {
                return (v4, Some(v6));
            }
        }
        panic!("no port is free on both 127.0.0.1 and {}", v6.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections were made so far.
    pub fn touches(&self) -> usize {
        let mut touches = self.touches.lock().expect("no test panicked here");
        loop {
            match self.listener.accept() {
                Ok(_) => *touches += 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return *touches,
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => *touches += 1,
                Err(error) => panic!("the canary on {} cannot accept: {error}", self.address),
            }
        }
    }

    /// Panics if anybody connected.
    #[track_caller]
    pub fn assert_untouched(&self) {
        let touches = self.touches();
        assert!(
            touches == 0,
            "the canary on {} was touched {touches} times",
            self.address
        );
    }

    fn on(ip: IpAddr, port: u16) -> Option<Self> {
        let listener = TcpListener::bind((ip, port)).ok()?;
        listener.set_nonblocking(true).ok()?;
        let address = listener.local_addr().ok()?;
        Some(Self {
            listener,
            address,
            touches: Mutex::new(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::Canary;

    #[tokio::test]
    async fn counts_each_connection_even_if_it_is_gone_again() {
        let canary = Canary::v4();
        canary.assert_untouched();
        drop(TcpStream::connect(canary.address()).await.unwrap());
        let second = TcpStream::connect(canary.address()).await.unwrap();
        assert_eq!(canary.touches(), 2);
        assert_eq!(canary.touches(), 2);
        drop(second);
    }
}
