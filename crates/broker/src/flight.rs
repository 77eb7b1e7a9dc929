//! One piece of work per key at a time in this process, however many wait for it (A120, Q01).

use core::hash::Hash;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use claviger_ports::Tasks;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::herd::Urgency;

/// Work under way, by key. The work is detached: a caller that goes away changes nothing (A123).
pub(crate) struct Flights<K, T> {
    open: Arc<Mutex<HashMap<K, Open<T>>>>,
    tasks: Arc<dyn Tasks>,
}

struct Open<T> {
    landing: watch::Receiver<Option<T>>,
    /// Tells it that somebody waits.
    hurry: watch::Sender<bool>,
}

impl<K, T> Flights<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    pub(crate) fn new(tasks: Arc<dyn Tasks>) -> Self {
        Self {
            open: Arc::default(),
            tasks,
        }
    }

    /// Joins the flight of `key`, or starts `work` as one. `None` if the work panicked.
    pub(crate) async fn fly(
        &self,
        key: &K,
        name: &'static str,
        work: impl FnOnce(Urgency) -> BoxFuture<'static, T>,
    ) -> Option<T> {
        let mut landing = self.start(key, name, true, work);
        let landed = landing.wait_for(Option::is_some).await.ok()?;
        landed.clone()
    }

    /// Starts `work` unless a flight of `key` is under way; waits for nothing.
    pub(crate) fn board(
        &self,
        key: &K,
        name: &'static str,
        work: impl FnOnce(Urgency) -> BoxFuture<'static, T>,
    ) -> watch::Receiver<Option<T>> {
        self.start(key, name, false, work)
    }

    fn start(
        &self,
        key: &K,
        name: &'static str,
        is_waited_for: bool,
        work: impl FnOnce(Urgency) -> BoxFuture<'static, T>,
    ) -> watch::Receiver<Option<T>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = open.get(key) {
            if is_waited_for {
                open.hurry.send_replace(true);
            }
            return open.landing.clone();
        }
        let (land, landing) = watch::channel(None);
        let (hurry, urgency) = Urgency::new(is_waited_for);
        let entry = Open {
            landing: landing.clone(),
            hurry,
        };
        open.insert(key.clone(), entry);
        let departure = Departure {
            open: Arc::clone(&self.open),
            key: key.clone(),
        };
        let work = work(urgency);
        self.tasks.spawn(
            name,
            Box::pin(async move {
                let landed = work.await;
                // The entry goes first: whoever comes now starts anew, whoever waits is told.
                drop(departure);
                land.send_replace(Some(landed));
            }),
        );
        landing
    }
}

/// Takes the entry away even if the work panics.
struct Departure<K: Eq + Hash, T> {
    open: Arc<Mutex<HashMap<K, Open<T>>>>,
    key: K,
}

impl<K: Eq + Hash, T> Drop for Departure<K, T> {
    fn drop(&mut self) {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicU32, Ordering};

    use claviger_testkit::TokioTasks;
    use futures_util::FutureExt as _;
    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn a120_many_callers_share_one_flight() {
        let flights = Arc::new(Flights::<u8, u32>::new(Arc::new(TokioTasks::default())));
        let (count, gate) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let land = |gate: Arc<Notify>, count: Arc<AtomicU32>| -> BoxFuture<'static, u32> {
            Box::pin(async move {
                gate.notified().await;
                count.fetch_add(1, Ordering::SeqCst) + 1
            })
        };
        let calls = (0..100).map(|_| {
            let (flights, count) = (Arc::clone(&flights), Arc::clone(&count));
            let gate = Arc::clone(&gate);
            async move {
                flights
                    .fly(&1, "test", move |_urgency| land(gate, count))
                    .await
            }
        });
        let all = futures_util::future::join_all(calls);
        let open = async {
            tokio::task::yield_now().await;
            gate.notify_one();
        };
        let (landed, ()) = futures_util::future::join(all, open).await;
        assert_eq!(landed, vec![Some(1); 100]);
    }

    #[tokio::test]
    async fn a123_f20_a_caller_that_goes_away_does_not_stop_the_work() {
        let flights = Flights::<u8, u32>::new(Arc::new(TokioTasks::default()));
        let gate = Arc::new(Notify::new());
        let opened = Arc::clone(&gate);
        let landing = flights.board(&1, "test", move |_urgency| {
            Box::pin(async move {
                gate.notified().await;
                7
            })
        });
        {
            let waiting = flights.fly(&1, "test", |_urgency| Box::pin(async { 0 }));
            let mut waiting = core::pin::pin!(waiting);
            assert!(waiting.as_mut().now_or_never().is_none());
        }
        opened.notify_one();
        let mut landing = landing;
        assert_eq!(*landing.wait_for(Option::is_some).await.unwrap(), Some(7));
    }
}
