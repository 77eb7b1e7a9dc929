//! Tracked background work: shutdown waits for it.

use core::time::Duration;

use claviger_ports::Tasks;
use futures_util::future::BoxFuture;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, info_span};

/// Spawns on the current tokio runtime and remembers what is still running.
#[derive(Debug, Clone, Default)]
pub(crate) struct TrackedTasks {
    tracker: TaskTracker,
}

impl TrackedTasks {
    /// Waits until everything spawned has ended, at most `limit`. Says whether it did.
    pub(crate) async fn drain(&self, limit: Duration) -> bool {
        self.tracker.close();
        tokio::time::timeout(limit, self.tracker.wait())
            .await
            .is_ok()
    }

    /// How many are still running.
    pub(crate) fn running(&self) -> usize {
        self.tracker.len()
    }
}

impl Tasks for TrackedTasks {
    fn spawn(&self, name: &'static str, work: BoxFuture<'static, ()>) {
        // A task that panics ends alone: its handle is dropped and nobody is poisoned (F45).
        drop(
            self.tracker
                .spawn(work.instrument(info_span!("task", name))),
        );
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn waits_for_what_is_running() {
        let tasks = TrackedTasks::default();
        let (done, mut seen) = mpsc::channel(1);
        tasks.spawn(
            "test",
            Box::pin(async move {
                tokio::task::yield_now().await;
                done.send(()).await.unwrap();
            }),
        );
        assert!(tasks.drain(Duration::from_secs(5)).await);
        assert_eq!(seen.try_recv(), Ok(()));
    }
}
