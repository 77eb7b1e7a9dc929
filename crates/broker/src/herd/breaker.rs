//! Whether an issuer is asked at all: after some faults in a row nobody asks it for a while, and
//! then one does.
//!
//! Only transient faults count: 5xx, no answer, no connection, an answer that is not OAuth. A clear
//! no (`invalid_grant`, `invalid_client`, 429) is an answer, and an issuer that answers is there.

/// The state of one issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Breaker {
    state: State,
    /// For how long it opens next time, in milliseconds.
    span_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed {
        faults: u32,
    },
    Open {
        until_ms: u64,
    },
    /// One asks; everybody else waits for what it hears.
    Probing,
}

/// Whether a request may go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum May {
    /// As any other.
    Ask,
    /// Not for so many milliseconds.
    NotFor(u64),
    /// As the one that finds out.
    Probe,
}

/// So many faults in a row open it.
const FAULTS: u32 = 5;

/// For how long, in milliseconds: the first time, and at most. An issuer that is back is noticed
/// within a few seconds, and one probe in four seconds is no load (A130).
const FIRST_MS: u64 = 1_000;
const LONGEST_MS: u64 = 4_000;

/// What whoever comes during a probe is told to wait, in milliseconds.
const PROBE_MS: u64 = 2_000;

// === impl Breaker ===

impl Breaker {
    pub(super) const fn new() -> Self {
        Self {
            state: State::Closed { faults: 0 },
            span_ms: FIRST_MS,
        }
    }

    /// Changes nothing.
    pub(super) fn may(&self, now_ms: u64) -> May {
        match self.state {
            State::Closed { .. } => May::Ask,
            State::Open { until_ms } if now_ms < until_ms => May::NotFor(until_ms - now_ms),
            State::Open { .. } => May::Probe,
            State::Probing => May::NotFor(PROBE_MS),
        }
    }

    /// Somebody asks to find out.
    pub(super) fn probe(&mut self) {
        self.state = State::Probing;
    }

    /// The probe ended without asking: the next one may.
    pub(super) fn give_up_probe(&mut self, now_ms: u64) {
        if self.state == State::Probing {
            self.state = State::Open { until_ms: now_ms };
        }
    }

    /// The issuer answered, whatever it said. True if it was not asked before.
    pub(super) fn answered(&mut self) -> bool {
        let was_open = !matches!(self.state, State::Closed { .. });
        *self = Self::new();
        was_open
    }

    /// It did not. True if nobody asks any more from now on. `random` spreads the probes of many
    /// processes over half the span.
    pub(super) fn failed(&mut self, is_probe: bool, now_ms: u64, random: u16) -> bool {
        match self.state {
            State::Closed { faults } if faults + 1 < FAULTS => {
                self.state = State::Closed { faults: faults + 1 };
                false
            }
            State::Closed { .. } => {
                self.open(now_ms, random);
                true
            }
            State::Probing if is_probe => {
                self.open(now_ms, random);
                true
            }
            // It was sent before the others failed, and says nothing new.
            State::Open { .. } | State::Probing => false,
        }
    }

    pub(super) fn is_new(&self) -> bool {
        *self == Self::new()
    }

    fn open(&mut self, now_ms: u64, random: u16) {
        let half = self.span_ms / 2;
        let span_ms = half + half * u64::from(random) / u64::from(u16::MAX);
        self.state = State::Open {
            until_ms: now_ms.saturating_add(span_ms),
        };
        self.span_ms = (self.span_ms * 2).min(LONGEST_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened() -> Breaker {
        let mut breaker = Breaker::new();
        for _ in 1..FAULTS {
            assert!(!breaker.failed(false, 0, u16::MAX));
            assert_eq!(breaker.may(0), May::Ask);
        }
        assert!(breaker.failed(false, 0, u16::MAX));
        breaker
    }

    #[test]
    fn a130_opens_after_faults_in_a_row_and_lets_one_probe() {
        let mut breaker = opened();
        assert_eq!(breaker.may(0), May::NotFor(1_000));
        // What was under way before says nothing new.
        assert!(!breaker.failed(false, 500, 0));
        assert_eq!(breaker.may(1_000), May::Probe);
        breaker.probe();
        assert_eq!(breaker.may(1_000), May::NotFor(PROBE_MS));
        assert!(!breaker.failed(false, 1_500, 0));
        assert!(breaker.failed(true, 2_000, u16::MAX));
        assert_eq!(breaker.may(2_000), May::NotFor(2_000));
        for (at, span) in [(4_000, 4_000), (8_000, 4_000), (12_000, 4_000)] {
            assert_eq!(breaker.may(at), May::Probe);
            breaker.probe();
            assert!(breaker.failed(true, at, u16::MAX));
            assert_eq!(breaker.may(at), May::NotFor(span));
        }
        breaker.probe();
        assert!(breaker.answered());
        assert_eq!(breaker.may(0), May::Ask);
        assert!(breaker.is_new());
    }

    #[test]
    fn an_answer_in_between_begins_the_count_anew() {
        let mut breaker = Breaker::new();
        for _ in 0..10 {
            for _ in 1..FAULTS {
                assert!(!breaker.failed(false, 0, 0));
            }
            assert!(!breaker.answered());
        }
        assert_eq!(breaker.may(0), May::Ask);
    }

    #[test]
    fn a_probe_that_never_asked_is_followed_by_another() {
        let mut breaker = opened();
        breaker.probe();
        breaker.give_up_probe(1_200);
        assert_eq!(breaker.may(1_200), May::Probe);
        // An answer that comes late closes it as well.
        assert!(breaker.answered());
        breaker.give_up_probe(1_300);
        assert_eq!(breaker.may(1_300), May::Ask);
    }
}
