//! Spawned work a test can wait for.

use std::panic;
use std::sync::Mutex;

use claviger_ports::Tasks;
use futures_util::future::BoxFuture;
use tokio::task::JoinSet;

/// Spawns with tokio.
#[derive(Debug, Default)]
pub struct TokioTasks {
    running: Mutex<JoinSet<()>>,
}

// === impl TokioTasks ===

impl TokioTasks {
    /// Nothing runs yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits until all work is done, also work spawned meanwhile; a panic in it is passed on.
    pub async fn finished(&self) {
        loop {
            let mut running =
                core::mem::take(&mut *self.running.lock().expect("no test panicked here"));
            if running.is_empty() {
                return;
            }
            while let Some(done) = running.join_next().await {
                if let Err(error) = done
                    && error.is_panic()
                {
                    panic::resume_unwind(error.into_panic());
                }
            }
        }
    }

    /// How many were spawned and not yet waited for.
    pub fn spawned(&self) -> usize {
        self.running.lock().expect("no test panicked here").len()
    }
}

impl Tasks for TokioTasks {
    fn spawn(&self, _name: &'static str, work: BoxFuture<'static, ()>) {
        self.running
            .lock()
            .expect("no test panicked here")
            .spawn(work);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use claviger_ports::Tasks;

    use super::TokioTasks;

    #[tokio::test]
    async fn waits_for_work_that_spawns_work() {
        let tasks = Arc::new(TokioTasks::new());
        let count = Arc::new(AtomicUsize::new(0));
        let (inner_tasks, inner_count) = (Arc::clone(&tasks), Arc::clone(&count));
        tasks.spawn(
            "outer",
            Box::pin(async move {
                let innermost = Arc::clone(&inner_count);
                inner_tasks.spawn(
                    "inner",
                    Box::pin(async move {
                        innermost.fetch_add(1, Ordering::SeqCst);
                    }),
                );
                inner_count.fetch_add(1, Ordering::SeqCst);
            }),
        );
        tasks.finished().await;
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }
}
