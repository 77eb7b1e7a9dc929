//! After a renewal that failed: for how long nobody asks again, and what callers hear meanwhile.
//!
//! Without it every request would ask an issuer that is down, or that refuses our client (A125,
//! A130). A sign-in, and anything newer in the database, is not held up by it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use claviger_model::{CredentialKey, Reason};

use crate::refresh::{Landed, Seen};

/// Failures that were not followed by a success yet; bounded.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    open: Mutex<HashMap<CredentialKey, Pause>>,
}

#[derive(Debug)]
struct Pause {
    /// The credential that could not be renewed; another one is not paused.
    seen: Seen,
    /// What the last attempt came to; `None` if it is under way.
    landed: Option<Landed>,
    /// The issuer may have rotated the token without our hearing the answer.
    is_doubtful: bool,
    /// When the issuer said no without saying why, the first time (Q08).
    struck_ms: Option<u64>,
    span_ms: u64,
    until_ms: u64,
}

/// At most, the first time and later, in milliseconds; how much of it is random (full jitter), so
/// that those who failed together do not come back together.
const FIRST_MS: u64 = 5_000;
const LONGEST_MS: u64 = 60_000;

/// At least, in milliseconds.
const SHORTEST_MS: u64 = 1_000;

/// Q08: between two strikes, in milliseconds.
const STRIKES_APART_MS: u64 = 30_000;

/// An issuer may ask for no more patience than this, in seconds: a slip of its pen must not end
/// what we hold.
pub(crate) const MOST_PATIENT_S: u32 = 600;

/// Beyond this the ones that ended first go.
const MOST: usize = 10_000;

// === impl Pauses ===

impl Pauses {
    /// What the last attempt for this very credential came to, while it is too early for another.
    pub(crate) fn heard(&self, key: &CredentialKey, seen: &Seen, now_ms: u64) -> Option<Landed> {
        let open = self.open();
        let pause = open.get(key)?;
        if pause.seen != *seen || pause.until_ms <= now_ms {
            return None;
        }
        match pause.landed.clone()? {
            Landed::Unreachable { .. } => {
                let left = (pause.until_ms - now_ms).div_ceil(1_000);
                Some(Landed::Unreachable {
                    retry_after_s: u32::try_from(left).ok(),
                })
            }
            other => Some(other),
        }
    }

    /// Whether the last word was that the issuer, or the database, does not answer.
    pub(crate) fn is_unreachable(&self, key: &CredentialKey, seen: &Seen) -> bool {
        self.open().get(key).is_some_and(|pause| {
            pause.seen == *seen && matches!(pause.landed, Some(Landed::Unreachable { .. }))
        })
    }

    /// Remembers how an attempt ended; each further failure doubles the pause, of which a random
    /// part is waited, and after what the issuer asked for a random part of the first.
    pub(crate) fn remember(
        &self,
        key: &CredentialKey,
        seen: &Seen,
        landed: &Landed,
        now_ms: u64,
        random: u16,
    ) {
        let asked_ms = match landed {
            Landed::Ended(Reason::ClientRefused | Reason::RefreshStuck)
            | Landed::Misconfigured(_) => 0,
            // The credential is new, or gone, and nothing is left to be asked about.
            Landed::Fresh(_) | Landed::Ended(_) => return self.forget(key),
            Landed::Unreachable { retry_after_s } => {
                u64::from(retry_after_s.unwrap_or(0).min(MOST_PATIENT_S)) * 1_000
            }
        };
        let mut open = self.open();
        make_room(&mut open, now_ms);
        let before = open.get(key).filter(|pause| pause.seen == *seen);
        let span_ms = before
            .filter(|pause| pause.span_ms > 0)
            .map_or(FIRST_MS, |pause| (pause.span_ms * 2).min(LONGEST_MS));
        let part = |most: u64| most * u64::from(random) / u64::from(u16::MAX);
        let wait_ms = if asked_ms > 0 {
            asked_ms.max(SHORTEST_MS) + part(FIRST_MS)
        } else {
            SHORTEST_MS + part(span_ms - SHORTEST_MS)
        };
        let pause = Pause {
            seen: seen.clone(),
            landed: Some(landed.clone()),
            is_doubtful: before.is_some_and(|pause| pause.is_doubtful),
            struck_ms: before.and_then(|pause| pause.struck_ms),
            span_ms,
            until_ms: now_ms.saturating_add(wait_ms),
        };
        open.insert(key.clone(), pause);
    }

    /// Remembers that the token of `seen` may have been rotated without our hearing of it.
    pub(crate) fn doubt(&self, key: &CredentialKey, seen: &Seen, now_ms: u64) {
        self.note(key, seen, now_ms, |pause| pause.is_doubtful = true);
    }

    /// Remembers that the issuer said no without saying why. True from the second time on, if that
    /// is long enough after the first (Q08).
    pub(crate) fn strike(&self, key: &CredentialKey, seen: &Seen, now_ms: u64) -> bool {
        self.note(key, seen, now_ms, |pause| {
            let first = *pause.struck_ms.get_or_insert(now_ms);
            now_ms.saturating_sub(first) >= STRIKES_APART_MS
        })
    }

    fn note<T>(
        &self,
        key: &CredentialKey,
        seen: &Seen,
        now_ms: u64,
        change: impl FnOnce(&mut Pause) -> T,
    ) -> T {
        let mut open = self.open();
        make_room(&mut open, now_ms);
        let pause = open
            .entry(key.clone())
            .or_insert_with(|| Pause::of(seen, now_ms));
        if pause.seen != *seen {
            *pause = Pause::of(seen, now_ms);
        }
        change(pause)
    }

    /// Whether [`Pauses::doubt`] was said of it.
    pub(crate) fn is_doubtful(&self, key: &CredentialKey, seen: &Seen) -> bool {
        self.open()
            .get(key)
            .is_some_and(|pause| pause.seen == *seen && pause.is_doubtful)
    }

    /// Forgets what is known of `key`: there is something new.
    pub(crate) fn forget(&self, key: &CredentialKey) {
        self.open().remove(key);
    }

    fn open(&self) -> MutexGuard<'_, HashMap<CredentialKey, Pause>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Pause ===

impl Pause {
    fn of(seen: &Seen, now_ms: u64) -> Self {
        Self {
            seen: seen.clone(),
            landed: None,
            is_doubtful: false,
            struck_ms: None,
            span_ms: 0,
            until_ms: now_ms,
        }
    }
}

fn make_room(open: &mut HashMap<CredentialKey, Pause>, now_ms: u64) {
    if open.len() < MOST {
        return;
    }
    open.retain(|_, pause| pause.until_ms.saturating_add(LONGEST_MS) > now_ms);
    if open.len() >= MOST {
        let first = open.iter().min_by_key(|(_, pause)| pause.until_ms);
        let first = first.map(|(key, _)| key.clone());
        first.map(|key| open.remove(&key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::tests::key;

    fn seen(version: u64) -> Seen {
        Seen {
            fingerprint: vec![7],
            version,
        }
    }

    fn down(retry_after_s: Option<u32>) -> Landed {
        Landed::Unreachable { retry_after_s }
    }

    fn left(pauses: &Pauses, now_ms: u64) -> Option<u32> {
        match pauses.heard(&key(), &seen(1), now_ms)? {
            Landed::Unreachable { retry_after_s } => retry_after_s,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn q07_backs_off_from_five_seconds_to_a_minute() {
        let (pauses, mut now) = (Pauses::default(), 0);
        for span in [5, 10, 20, 40, 60, 60] {
            pauses.remember(&key(), &seen(1), &down(None), now, u16::MAX);
            assert_eq!(left(&pauses, now), Some(span));
            assert_eq!(left(&pauses, now + 1), Some(span));
            now += u64::from(span) * 1_000;
            assert_eq!(left(&pauses, now), None);
        }
        pauses.forget(&key());
        pauses.remember(&key(), &seen(1), &down(None), now, u16::MAX);
        assert_eq!(left(&pauses, now), Some(5));
    }

    #[test]
    fn a126_waits_as_long_as_the_issuer_asks_within_reason() {
        for (asked, least) in [(1, 1), (90, 90), (u32::MAX, MOST_PATIENT_S)] {
            for (random, more) in [(0, 0), (u16::MAX, 5)] {
                let pauses = Pauses::default();
                pauses.remember(&key(), &seen(1), &down(Some(asked)), 0, random);
                assert_eq!(left(&pauses, 0), Some(least + more));
            }
        }
    }

    #[test]
    fn those_who_failed_together_do_not_come_back_together() {
        for (random, waits) in [(0, 1), (u16::MAX / 2, 3), (u16::MAX, 5)] {
            let pauses = Pauses::default();
            pauses.remember(&key(), &seen(1), &down(None), 0, random);
            assert_eq!(left(&pauses, 0), Some(waits));
        }
    }

    #[test]
    fn q08_two_strikes_half_a_minute_apart_on_one_credential() {
        let pauses = Pauses::default();
        assert!(!pauses.strike(&key(), &seen(1), 0));
        assert!(!pauses.strike(&key(), &seen(1), 29_999));
        assert!(pauses.strike(&key(), &seen(1), 30_000));
        // Another credential begins anew, and a success ends it.
        assert!(!pauses.strike(&key(), &seen(2), 60_000));
        pauses.forget(&key());
        assert!(!pauses.strike(&key(), &seen(2), 120_000));
    }

    #[test]
    fn a_newer_credential_is_not_held_up() {
        let pauses = Pauses::default();
        pauses.remember(&key(), &seen(1), &down(None), 0, u16::MAX);
        assert!(pauses.heard(&key(), &seen(2), 0).is_none());
        assert!(!pauses.is_unreachable(&key(), &seen(2)));
        assert!(pauses.is_unreachable(&key(), &seen(1)));
    }

    #[test]
    fn doubt_lasts_until_something_new_is_there() {
        let pauses = Pauses::default();
        pauses.doubt(&key(), &seen(1), 0);
        assert!(pauses.heard(&key(), &seen(1), 0).is_none());
        pauses.remember(&key(), &seen(1), &down(None), 0, u16::MAX);
        assert_eq!(left(&pauses, 0), Some(5));
        assert!(pauses.is_doubtful(&key(), &seen(1)));
        assert!(!pauses.is_doubtful(&key(), &seen(2)));
        pauses.forget(&key());
        assert!(!pauses.is_doubtful(&key(), &seen(1)));
    }

    #[test]
    fn is_bounded() {
        let pauses = Pauses::default();
        for n in 0..MOST + 5 {
            let mut other = key();
            other.user = claviger_model::UserId::parse(&format!("u{n}")).unwrap();
            pauses.remember(&other, &seen(1), &down(None), 0, u16::MAX);
        }
        assert_eq!(pauses.open().len(), MOST);
    }
}
