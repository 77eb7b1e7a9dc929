//! Kept connections, apart by reach.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use claviger_ports::{Body, Reach};
use hyper_util::client::legacy::{Builder, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::EgressSettings;
use crate::connector::{Door, EgressConnector};

/// A client whose connections were all vetted under one reach.
pub(crate) type PooledClient = Client<EgressConnector, Body>;

/// One pool for each reach, the least used of them given up when there are too many.
///
/// A connection that was vetted under one reach must never serve a request under another, or opening
/// a private host for one server would open it for all.
pub(crate) struct Pools {
    door: Arc<Door>,
    builder: Builder,
    most: usize,
    asked: AtomicU64,
    by_reach: Mutex<BTreeMap<Reach, Pool>>,
}

struct Pool {
    client: PooledClient,
    /// When it was last asked for, counted in requests.
    used_at: u64,
}

// === impl Pools ===

impl Pools {
    pub(crate) fn new(door: Arc<Door>, settings: &EgressSettings) -> Self {
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(settings.idle_timeout)
            .pool_max_idle_per_host(settings.idle_per_host)
            // A shared connection that died in silence would hold up every request until its deadline.
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            // A kept connection may have been closed meanwhile. Only a request of which no byte was
            // written is handed back by hyper, and only that one is written again.
            .retry_canceled_requests(true);
        Self {
            door,
            builder,
            most: settings.pools.max(1),
            asked: AtomicU64::new(0),
            by_reach: Mutex::default(),
        }
    }

    /// The client for this reach.
    pub(crate) fn client(&self, reach: &Reach) -> PooledClient {
        let mut pools = self.pools();
        let now = self.asked.fetch_add(1, Ordering::Relaxed);
        if let Some(pool) = pools.get_mut(reach) {
            pool.used_at = now;
            return pool.client.clone();
        }
        if pools.len() >= self.most {
            let oldest = pools.iter().min_by_key(|(_, pool)| pool.used_at);
            if let Some(oldest) = oldest.map(|(reach, _)| reach.clone()) {
                pools.remove(&oldest);
            }
        }
        let connector = EgressConnector::new(Arc::clone(&self.door), reach.clone());
        let client: PooledClient = self.builder.build(connector);
        let pool = Pool {
            client: client.clone(),
            used_at: now,
        };
        pools.insert(reach.clone(), pool);
        client
    }

    /// Lets go of all of them.
    pub(crate) fn clear(&self) {
        self.pools().clear();
    }

    fn pools(&self) -> MutexGuard<'_, BTreeMap<Reach, Pool>> {
        self.by_reach.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
