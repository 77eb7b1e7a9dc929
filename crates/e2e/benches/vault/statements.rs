//! How often a database is asked, by what sqlx logs: each statement of either backend, on whatever
//! thread.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, set_global_default};
use tracing::{Event, Metadata, Subscriber};

struct Counter;

static IS_ON: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Begins to listen. What is logged costs nothing while nobody counts.
pub(crate) fn install() -> Result<()> {
    set_global_default(Counter).context("somebody listens already")
}

/// How many statements were run meanwhile.
pub(crate) async fn during<T>(work: impl Future<Output = T>) -> (T, u64) {
    COUNT.store(0, Ordering::SeqCst);
    IS_ON.store(true, Ordering::SeqCst);
    let done = work.await;
    IS_ON.store(false, Ordering::SeqCst);
    (done, COUNT.load(Ordering::SeqCst))
}

// === impl Counter ===

impl Subscriber for Counter {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query" && IS_ON.load(Ordering::Relaxed)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn event(&self, _: &Event<'_>) {
        COUNT.fetch_add(1, Ordering::SeqCst);
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
