//! What time it is, and how to wait.

use core::time::Duration;

use claviger_model::Timestamp;
use futures_util::future::BoxFuture;

/// The wall clock and the only way to sleep.
pub trait Clock: Send + Sync + 'static {
    /// The current time in whole seconds since 1970.
    fn now(&self) -> Timestamp;

    /// Milliseconds on a clock that never goes back; only differences mean anything.
    fn monotonic_ms(&self) -> u64;

    /// Resolves after `span`.
    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()>;
}
