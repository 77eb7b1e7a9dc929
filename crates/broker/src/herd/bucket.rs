//! How many requests an issuer gets in a time: a bucket of tokens that fills steadily.

/// Tokens, counted in thousandths so that a millisecond is never lost.
#[derive(Debug)]
pub(super) struct Bucket {
    per_s: u64,
    most: u64,
    left: u64,
    at_ms: u64,
}

/// A token.
const ONE: u64 = 1_000;

// === impl Bucket ===

impl Bucket {
    /// Full, with `burst` tokens.
    pub(super) fn new(per_s: u32, burst: u32, now_ms: u64) -> Self {
        let most = u64::from(burst) * ONE;
        Self {
            per_s: u64::from(per_s),
            most,
            left: most,
            at_ms: now_ms,
        }
    }

    /// Takes a token; without one, the milliseconds until there is one.
    pub(super) fn take(&mut self, now_ms: u64) -> Result<(), u64> {
        self.fill(now_ms);
        if self.left >= ONE {
            self.left -= ONE;
            return Ok(());
        }
        Err((ONE - self.left).div_ceil(self.per_s.max(1)).max(1))
    }

    /// Empties it: what comes now comes evenly, and not as a wave (F22).
    pub(super) fn drain(&mut self, now_ms: u64) {
        self.fill(now_ms);
        self.left = 0;
    }

    pub(super) fn is_full(&mut self, now_ms: u64) -> bool {
        self.fill(now_ms);
        self.left == self.most
    }

    fn fill(&mut self, now_ms: u64) {
        // A thousandth a millisecond for each token a second.
        let came = now_ms.saturating_sub(self.at_ms).saturating_mul(self.per_s);
        self.left = self.left.saturating_add(came).min(self.most);
        self.at_ms = self.at_ms.max(now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_a_burst_and_then_a_steady_rate() {
        let mut bucket = Bucket::new(100, 5, 0);
        let taken = (0..9).filter(|_| bucket.take(0).is_ok()).count();
        assert_eq!(taken, 5);
        assert_eq!(bucket.take(0), Err(10));
        assert_eq!(bucket.take(9), Err(1));
        assert_eq!(bucket.take(10), Ok(()));
        let (mut now, mut count) = (10, 0);
        while now < 1_010 {
            count += u32::from(bucket.take(now).is_ok());
            now += 1;
        }
        assert_eq!(count, 99);
        assert!(bucket.is_full(10_000));
        bucket.drain(10_000);
        assert_eq!(bucket.take(10_000), Err(10));
    }

    #[test]
    fn a_clock_that_stands_still_or_jumps_gives_nothing_for_free() {
        let mut bucket = Bucket::new(10, 1, 1_000);
        assert_eq!(bucket.take(1_000), Ok(()));
        assert_eq!(bucket.take(0), Err(100));
        assert_eq!(bucket.take(u64::MAX), Ok(()));
        assert_eq!(bucket.take(u64::MAX), Err(100));
    }
}
