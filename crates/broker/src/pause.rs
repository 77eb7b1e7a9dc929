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
    span_ms: u64,
    until_ms: u64,
}

const FIRST_MS: u64 = 5_000;
const LONGEST_MS: u64 = 60_000;

/// An issuer may ask for no more patience than this, in seconds: a slip of its pen must not end
/// what we hold.
const MOST_PATIENT_S: u32 = 600;

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

    /// Remembers how an attempt ended; each further failure doubles the pause.
    pub(crate) fn remember(&self, key: &CredentialKey, seen: &Seen, landed: &Landed, now_ms: u64) {
        let asked_ms = match landed {
            Landed::Fresh(_) => return self.forget(key),
            // The credential is gone, and nothing is left to be asked about.
            Landed::Ended(reason) if *reason != Reason::ClientRefused => return self.forget(key),
            Landed::Unreachable { retry_after_s } => {
                u64::from(retry_after_s.unwrap_or(0).min(MOST_PATIENT_S)) * 1_000
            }
            Landed::Ended(_) | Landed::Misconfigured(_) => 0,
        };
        let mut open = self.open();
        make_room(&mut open, now_ms);
        let before = open.get(key).filter(|pause| pause.seen == *seen);
        let span_ms = before
            .filter(|pause| pause.span_ms > 0)
            .map_or(FIRST_MS, |pause| (pause.span_ms * 2).min(LONGEST_MS));
        let pause = Pause {
            seen: seen.clone(),
            landed: Some(landed.clone()),
            is_doubtful: before.is_some_and(|pause| pause.is_doubtful),
            span_ms,
            until_ms: now_ms.saturating_add(span_ms.max(asked_ms)),
        };
        open.insert(key.clone(), pause);
    }

    /// Remembers that the token of `seen` may have been rotated without our hearing of it.
    pub(crate) fn doubt(&self, key: &CredentialKey, seen: &Seen, now_ms: u64) {
        let mut open = self.open();
        make_room(&mut open, now_ms);
        let known = open.get_mut(key).filter(|pause| pause.seen == *seen);
        if let Some(pause) = known {
            pause.is_doubtful = true;
            return;
        }
        let pause = Pause {
            seen: seen.clone(),
            landed: None,
            is_doubtful: true,
            span_ms: 0,
            until_ms: now_ms,
        };
        open.insert(key.clone(), pause);
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
            pauses.remember(&key(), &seen(1), &down(None), now);
            assert_eq!(left(&pauses, now), Some(span));
            assert_eq!(left(&pauses, now + 1), Some(span));
            now += u64::from(span) * 1_000;
            assert_eq!(left(&pauses, now), None);
        }
        pauses.forget(&key());
        pauses.remember(&key(), &seen(1), &down(None), now);
        assert_eq!(left(&pauses, now), Some(5));
    }

    #[test]
    fn a126_waits_as_long_as_the_issuer_asks_within_reason() {
        for (asked, waits) in [(1, 5), (90, 90), (u32::MAX, MOST_PATIENT_S)] {
            let pauses = Pauses::default();
            pauses.remember(&key(), &seen(1), &down(Some(asked)), 0);
            assert_eq!(left(&pauses, 0), Some(waits));
        }
    }

    #[test]
    fn a_newer_credential_is_not_held_up() {
        let pauses = Pauses::default();
        pauses.remember(&key(), &seen(1), &down(None), 0);
        assert!(pauses.heard(&key(), &seen(2), 0).is_none());
        assert!(!pauses.is_unreachable(&key(), &seen(2)));
        assert!(pauses.is_unreachable(&key(), &seen(1)));
    }

    #[test]
    fn doubt_lasts_until_something_new_is_there() {
        let pauses = Pauses::default();
        pauses.doubt(&key(), &seen(1), 0);
        assert!(pauses.heard(&key(), &seen(1), 0).is_none());
        pauses.remember(&key(), &seen(1), &down(None), 0);
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
            pauses.remember(&other, &seen(1), &down(None), 0);
        }
        assert_eq!(pauses.open().len(), MOST);
    }
}
