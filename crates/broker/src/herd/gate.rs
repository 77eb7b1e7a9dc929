//! The gate of one issuer: who may ask it now, who waits, and who is sent away.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::breaker::{Breaker, May};
use super::bucket::Bucket;
use super::{AT_ONCE, BACKGROUND_AT_ONCE, BURST, BUSY, Heard, PER_S, Shut};

/// Who goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Somebody waits with a request.
    Waited,
    /// The credential is still served.
    Background,
}

/// One issuer.
#[derive(Debug)]
pub(super) struct Gate {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    running: u32,
    bucket: Bucket,
    breaker: Breaker,
    /// What the issuer asked for last (`Retry-After`).
    shut_until_ms: u64,
    line: BTreeMap<(Rank, u64), Arc<Notify>>,
    next: u64,
    used_ms: u64,
}

/// A place in the line; it is given up when this goes.
pub(super) struct Place {
    gate: Arc<Gate>,
    at: (Rank, u64),
    pub(super) turn: Arc<Notify>,
}

/// What whoever stands in the line does next.
pub(super) enum Step {
    Enter(Pass),
    /// Looks again after so many milliseconds, or when it is called; `None`: when it is called.
    Wait(Option<u64>),
    SentAway(Shut),
}

/// The right to ask; it is given back when this goes.
#[derive(Debug)]
pub(super) struct Pass {
    gate: Arc<Gate>,
    is_probe: bool,
    /// When it was given, or when something was heard last, for whoever drops it without a clock.
    now_ms: u64,
}

// === impl Gate ===

impl Gate {
    pub(super) fn new(now_ms: u64) -> Self {
        Self {
            state: Mutex::new(State {
                running: 0,
                bucket: Bucket::new(PER_S, BURST, now_ms),
                breaker: Breaker::new(),
                shut_until_ms: 0,
                line: BTreeMap::new(),
                next: 0,
                used_ms: now_ms,
            }),
        }
    }

    /// Stands in line.
    pub(super) fn line_up(self: &Arc<Self>, rank: Rank, now_ms: u64) -> Place {
        let mut state = self.state();
        state.used_ms = now_ms;
        state.next += 1;
        let at = (rank, state.next);
        let turn = Arc::new(Notify::new());
        state.line.insert(at, Arc::clone(&turn));
        Place {
            gate: Arc::clone(self),
            at,
            turn,
        }
    }

    /// For how long nobody may ask.
    pub(super) fn is_shut(&self, now_ms: u64) -> Option<Shut> {
        self.state().is_shut(now_ms)
    }

    /// Whether enough are at it for a herd.
    pub(super) fn is_busy(&self) -> bool {
        let state = self.state();
        state.running >= BUSY || !state.line.is_empty()
    }

    /// Whether nothing would be lost if it were forgotten.
    pub(super) fn is_idle(&self, now_ms: u64) -> bool {
        let mut state = self.state();
        state.is_unused()
            && state.breaker.is_new()
            && state.shut_until_ms <= now_ms
            && state.bucket.is_full(now_ms)
    }

    pub(super) fn used_ms(&self) -> u64 {
        self.state().used_ms
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    fn is_unused(&self) -> bool {
        self.running == 0 && self.line.is_empty()
    }

    fn is_shut(&self, now_ms: u64) -> Option<Shut> {
        let asked = self.shut_until_ms.saturating_sub(now_ms);
        let broken = match self.breaker.may(now_ms) {
            May::NotFor(left) => left,
            May::Ask | May::Probe => 0,
        };
        let left = asked.max(broken);
        (left > 0).then(|| Shut::of_ms(left))
    }

    fn call_next(&self) {
        if let Some(turn) = self.line.values().next() {
            turn.notify_one();
        }
    }

    fn call_all(&self) {
        for turn in self.line.values() {
            turn.notify_one();
        }
    }
}

// === impl Place ===

impl Place {
    pub(super) fn is_waited_for(&self) -> bool {
        self.at.0 == Rank::Waited
    }

    /// Somebody waits for it now: it goes before all who are not waited for.
    pub(super) fn hurry(&mut self) {
        let hurried = (Rank::Waited, self.at.1);
        let mut state = self.gate.state();
        if let Some(turn) = state.line.remove(&self.at) {
            state.line.insert(hurried, turn);
            state.call_next();
        }
        drop(state);
        self.at = hurried;
    }

    /// Tries to enter.
    pub(super) fn step(&self, now_ms: u64) -> Step {
        let mut state = self.gate.state();
        if let Some(shut) = state.is_shut(now_ms) {
            return Step::SentAway(shut);
        }
        if state.line.keys().next() != Some(&self.at) {
            return Step::Wait(None);
        }
        // Some places are kept for those who are waited for.
        let most = match self.at.0 {
            Rank::Waited => AT_ONCE,
            Rank::Background => BACKGROUND_AT_ONCE,
        };
        if state.running >= most {
            return Step::Wait(None);
        }
        if let Err(wait_ms) = state.bucket.take(now_ms) {
            return Step::Wait(Some(wait_ms));
        }
        let is_probe = state.breaker.may(now_ms) == May::Probe;
        if is_probe {
            state.breaker.probe();
        }
        state.running += 1;
        state.used_ms = now_ms;
        Step::Enter(Pass {
            gate: Arc::clone(&self.gate),
            is_probe,
            now_ms,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        state.line.remove(&self.at);
        state.call_next();
    }
}

// === impl Pass ===

impl Pass {
    /// What came of asking. True if the issuer answers again after it did not.
    pub(super) fn heard(&mut self, heard: Heard, now_ms: u64, random: u16) -> bool {
        self.now_ms = now_ms;
        let mut state = self.gate.state();
        match heard {
            Heard::Nothing => false,
            Heard::Answer { retry_after_s } => {
                let is_back = state.breaker.answered();
                if let Some(seconds) = retry_after_s {
                    let until = now_ms.saturating_add(u64::from(seconds) * 1_000);
                    state.shut_until_ms = state.shut_until_ms.max(until);
                    state.bucket.drain(until);
                    state.call_all();
                } else if is_back {
                    // Whoever was sent away comes now; evenly, and not as a wave.
                    state.bucket.drain(now_ms);
                }
                is_back
            }
            Heard::Fault { retry_after_s } => {
                let is_open = state.breaker.failed(self.is_probe, now_ms, random);
                if let Some(seconds) = retry_after_s {
                    let until = now_ms.saturating_add(u64::from(seconds) * 1_000);
                    state.shut_until_ms = state.shut_until_ms.max(until);
                    state.bucket.drain(until);
                }
                if is_open || retry_after_s.is_some() {
                    state.call_all();
                }
                self.is_probe = self.is_probe && !is_open;
                false
            }
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        state.running = state.running.saturating_sub(1);
        if self.is_probe {
            state.breaker.give_up_probe(self.now_ms);
        }
        state.call_next();
    }
}
