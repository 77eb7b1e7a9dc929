//! A clock that can be set forward, so that a token expires while nobody waits for it.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use claviger_model::Timestamp;
use claviger_ports::Clock;
use futures_util::future::BoxFuture;

/// Another clock, some seconds ahead.
pub(super) struct AheadClock {
    inner: Arc<dyn Clock>,
    ahead_s: AtomicI64,
}

// === impl AheadClock ===

impl AheadClock {
    pub(super) fn new(inner: Arc<dyn Clock>) -> Self {
        Self {
            inner,
            ahead_s: AtomicI64::new(0),
        }
    }

    pub(super) fn advance(&self, secs: u32) {
        self.ahead_s.fetch_add(secs.into(), Ordering::SeqCst);
    }
}

impl Clock for AheadClock {
    fn now(&self) -> Timestamp {
        self.inner.now().plus(self.ahead_s.load(Ordering::SeqCst))
    }

    fn monotonic_ms(&self) -> u64 {
        self.inner.monotonic_ms()
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        self.inner.sleep(span)
    }
}

impl fmt::Debug for AheadClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AheadClock").finish_non_exhaustive()
    }
}
