//! The machine's own resolver.

use std::net::IpAddr;

use async_trait::async_trait;
use claviger_ports::{Resolve, ResolveError};
use tokio::net::lookup_host;

/// Asks the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolve;

// === impl SystemResolve ===

#[async_trait]
impl Resolve for SystemResolve {
    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
        match lookup_host((host, 0)).await {
            Ok(addresses) => Ok(addresses.map(|address| address.ip()).collect()),
            Err(error) => {
                // The kind alone: the text may name the host.
                tracing::debug!(kind = ?error.kind(), "a name could not be resolved");
                Err(ResolveError)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use claviger_ports::Resolve;

    use super::SystemResolve;

    #[tokio::test]
    async fn localhost_is_this_machine() {
        let addresses = SystemResolve.resolve("localhost").await.unwrap();
        assert!(!addresses.is_empty());
        assert!(addresses.iter().all(IpAddr::is_loopback));
    }
}
