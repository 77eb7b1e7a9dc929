//! How far an outbound request may reach.

/// Hosts whose private or loopback addresses may be dialled, and plain `http` spoken, for one
/// server and nobody else.
///
/// Empty means: public addresses over `https` only. Hosts are compared as `url::Host` prints them,
/// in lower case and without a port (`localhost`, `127.0.0.1`, `[::1]`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reach {
    private_hosts: Vec<String>,
}

impl Reach {
    /// Public addresses only.
    pub fn public() -> Self {
        Self::default()
    }

    /// Also the private addresses of this host, on any port.
    #[must_use]
    pub fn with_private_host(mut self, host: &str) -> Self {
        let host = host.to_ascii_lowercase();
        if !self.private_hosts.contains(&host) {
            self.private_hosts.push(host);
            self.private_hosts.sort();
        }
        self
    }

    /// Whether private addresses of `host` may be dialled.
    pub fn allows_private(&self, host: &str) -> bool {
        self.private_hosts
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(host))
    }
}
