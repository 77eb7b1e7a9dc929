//! The real clock and the operating system's randomness.

use core::time::Duration;
use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use claviger_model::Timestamp;
use futures_util::future::BoxFuture;

use crate::{Clock, Entropy};

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// The operating system's randomness, by way of aws-lc-rs.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

// === impl SystemClock ===

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one reader of the wall clock"
    )]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let secs = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        #[cfg(feature = "failpoints")]
        let secs = secs.saturating_add(crate::failpoint::clock_shift());
        Timestamp::from_secs(secs)
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one way to sleep")]
    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(span))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one reader of the monotonic clock"
)]
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

// === impl SystemEntropy ===

impl Entropy for SystemEntropy {
    #[expect(
        clippy::expect_used,
        reason = "without randomness nothing here may go on; aws-lc-rs aborts before it fails"
    )]
    fn fill(&self, into: &mut [u8]) {
        aws_lc_rs::rand::fill(into).expect("the operating system gives randomness");
    }
}
