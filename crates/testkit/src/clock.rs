//! A clock that moves when it is told to.

use core::mem;
use core::time::Duration;
use std::sync::{Mutex, MutexGuard};

use claviger_model::Timestamp;
use claviger_ports::Clock;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

/// Stands still until [`FixedClock::advance`] or [`FixedClock::set`].
#[derive(Debug)]
pub struct FixedClock {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    wall_ms: i64,
    monotonic_ms: u64,
    hurries: bool,
    sleepers: Vec<(u64, oneshot::Sender<()>)>,
}

// === impl FixedClock ===

impl FixedClock {
    /// A clock that shows `secs` since 1970; sleepers wait until it is advanced past their end.
    pub fn at(secs: i64) -> Self {
        Self::starting(secs, false)
    }

    /// A clock that moves forward by itself: each sleep is over at once and takes its full time.
    pub fn hurrying(secs: i64) -> Self {
        Self::starting(secs, true)
    }

    /// Moves both clocks on and wakes whoever slept long enough.
    pub fn advance(&self, span: Duration) {
        self.state().advance(span);
    }

    /// Moves both clocks on by whole seconds.
    pub fn advance_secs(&self, secs: u64) {
        self.advance(Duration::from_secs(secs));
    }

    /// Sets the wall clock alone, as an operator or a time server may, also backwards.
    pub fn set(&self, now: Timestamp) {
        self.state().wall_ms = now.as_secs().saturating_mul(1_000);
    }

    /// How many are asleep.
    pub fn sleepers(&self) -> usize {
        let mut state = self.state();
        state.sleepers.retain(|(_, sleeper)| !sleeper.is_closed());
        state.sleepers.len()
    }

    fn starting(secs: i64, hurries: bool) -> Self {
        Self {
            state: Mutex::new(State {
                wall_ms: secs.saturating_mul(1_000),
                monotonic_ms: 0,
                hurries,
                sleepers: Vec::new(),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panicked here")
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.state().wall_ms.div_euclid(1_000))
    }

    fn monotonic_ms(&self) -> u64 {
        self.state().monotonic_ms
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        let mut state = self.state();
        if state.hurries {
            state.advance(span);
            // A loop that sleeps must still let others run.
            return Box::pin(tokio::task::yield_now());
        }
        if span.is_zero() {
            return Box::pin(core::future::ready(()));
        }
        let (wake, woken) = oneshot::channel();
        let until = state.monotonic_ms.saturating_add(millis(span));
        state.sleepers.push((until, wake));
        Box::pin(async move {
            // The clock is gone: the test is over, and this sleep never ends.
            if woken.await.is_err() {
                core::future::pending::<()>().await;
            }
        })
    }
}

// === impl State ===

impl State {
    fn advance(&mut self, span: Duration) {
        let millis = millis(span);
        self.monotonic_ms = self.monotonic_ms.saturating_add(millis);
        self.wall_ms = self
            .wall_ms
            .saturating_add(i64::try_from(millis).unwrap_or(i64::MAX));
        for (until, sleeper) in mem::take(&mut self.sleepers) {
            if until > self.monotonic_ms {
                self.sleepers.push((until, sleeper));
            } else {
                // A sleeper that gave up is no loss.
                sleeper.send(()).unwrap_or_default();
            }
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use claviger_model::Timestamp;
    use claviger_ports::Clock;
    use futures_util::FutureExt;

    use super::FixedClock;

    #[test]
    fn a_sleeper_wakes_when_its_time_has_come() {
        let clock = FixedClock::at(100);
        let mut sleep = clock.sleep(Duration::from_secs(10));
        assert_eq!(clock.sleepers(), 1);
        clock.advance_secs(9);
        assert!((&mut sleep).now_or_never().is_none());
        clock.advance_secs(1);
        assert!(sleep.now_or_never().is_some());
        assert_eq!(clock.now(), Timestamp::from_secs(110));
        assert_eq!(clock.monotonic_ms(), 10_000);
    }

    #[test]
    fn the_wall_clock_may_jump_back_but_the_other_never() {
        let clock = FixedClock::at(100);
        clock.advance_secs(5);
        clock.set(Timestamp::from_secs(7));
        assert_eq!(clock.now(), Timestamp::from_secs(7));
        assert_eq!(clock.monotonic_ms(), 5_000);
    }

    #[tokio::test]
    async fn a_hurrying_clock_spends_each_sleep_at_once() {
        let clock = FixedClock::hurrying(0);
        clock.sleep(Duration::from_secs(3)).await;
        clock.sleep(Duration::from_secs(4)).await;
        assert_eq!(clock.now(), Timestamp::from_secs(7));
    }
}
