//! When the database last answered: until then, what is in memory is known to be true.

use core::sync::atomic::{AtomicU64, Ordering};

/// The last answer, by the monotonic clock.
#[derive(Debug)]
pub(crate) struct Pulse {
    last_ms: AtomicU64,
}

/// For how long memory counts without an answer. A revocation must count within a second.
const FRESH_MS: u64 = 1_000;

/// For how long the server calls itself ready without an answer: a slow poll is no outage.
const READY_MS: u64 = 3_000;

// === impl Pulse ===

impl Pulse {
    pub(crate) fn new(now_ms: u64) -> Self {
        Self {
            last_ms: AtomicU64::new(now_ms),
        }
    }

    /// The database answered a question that was asked at `asked_ms`.
    pub(crate) fn beat(&self, asked_ms: u64) {
        self.last_ms.fetch_max(asked_ms, Ordering::AcqRel);
    }

    /// Whether memory counts without asking.
    pub(crate) fn is_fresh(&self, now_ms: u64) -> bool {
        self.silence(now_ms) <= FRESH_MS
    }

    /// Whether requests should be sent here.
    pub(crate) fn is_ready(&self, now_ms: u64) -> bool {
        self.silence(now_ms) <= READY_MS
    }

    fn silence(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.last_ms.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_counts_for_a_second_and_readiness_for_three() {
        let pulse = Pulse::new(10_000);
        pulse.beat(9_000);
        assert!(pulse.is_fresh(11_000) && pulse.is_ready(13_000));
        assert!(!pulse.is_fresh(11_001) && !pulse.is_ready(13_001));
        pulse.beat(13_000);
        assert!(pulse.is_fresh(14_000));
    }
}
