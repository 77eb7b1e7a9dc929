//! Names to addresses.

use std::net::IpAddr;

use async_trait::async_trait;

/// A name could not be resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name could not be resolved")]
pub struct ResolveError;

/// Looks names up; scripted in tests.
#[async_trait]
pub trait Resolve: Send + Sync + 'static {
    /// All addresses of `host`, in the order in which they should be tried.
    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, ResolveError>;
}
