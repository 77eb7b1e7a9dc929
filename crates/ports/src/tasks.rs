//! Work that outlives the request that began it.

use futures_util::future::BoxFuture;

/// Spawns tracked work; shutdown waits for it.
pub trait Tasks: Send + Sync + 'static {
    /// Runs `work` to its end, whatever becomes of the caller. `name` shows up in logs.
    fn spawn(&self, name: &'static str, work: BoxFuture<'static, ()>);
}
