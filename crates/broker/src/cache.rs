//! Credentials in memory, so that the hot path touches no database.

use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use claviger_model::{Credential, CredentialKey, Timestamp};
use http::HeaderValue;

use crate::TokenMark;

/// A credential, opened: what is attached, and what may be shown. The refresh token is not here;
/// it is opened only while it is used.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) row: Credential,
    pub(crate) header: HeaderValue,
    pub(crate) mark: TokenMark,
}

/// What is known of a key.
#[derive(Debug, Clone)]
pub(crate) enum Known {
    /// That there is no credential.
    Absent,
    /// A credential.
    Held(Arc<Held>),
    /// Nothing: the database has to be asked.
    Nothing,
}

/// How old a credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    /// Served; a refresh in the background is due.
    Aging,
    /// Not to be served.
    Expired,
    /// Served.
    Fresh,
}

/// What is known of each key: a credential, or that there is none.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    entries: RwLock<HashMap<CredentialKey, Option<Arc<Held>>>>,
    epoch: AtomicU64,
}

/// The state of the world when a read began; an entry read before an invalidation is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Epoch(u64);

// === impl Held ===

impl Held {
    /// The earlier of 80 % of its life and 60 s before its end, the latter only where it leaves
    /// half the life: a token of a minute would otherwise be refreshed on every call.
    /// `jitter` is 0 to 255 and moves the point by up to a tenth of the life, so that tokens
    /// issued together do not come back together.
    pub(crate) fn age(&self, now: Timestamp, jitter: u8) -> Age {
        // An unknown end is never reached by the clock (Q03, house.md "A refresh").
        let Some(expires_at) = self.row.expires_at else {
            return Age::Fresh;
        };
        if now >= expires_at {
            return Age::Expired;
        }
        let life = expires_at.since(self.row.obtained_at).max(0);
        let due = (life * 8 / 10).min((life - 60).max(life / 2));
        let earlier = life * i64::from(jitter) / 2_560;
        if now.since(self.row.obtained_at) >= due - earlier {
            Age::Aging
        } else {
            Age::Fresh
        }
    }
}

// === impl Cache ===

impl Cache {
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Acquire))
    }

    /// What is known of `key`.
    pub(crate) fn find(&self, key: &CredentialKey) -> Known {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        match entries.get(key) {
            Some(Some(held)) => Known::Held(Arc::clone(held)),
            Some(None) => Known::Absent,
            None => Known::Nothing,
        }
    }

    /// Keeps what was read, unless something was invalidated since `seen`.
    pub(crate) fn keep(&self, key: &CredentialKey, held: Option<Arc<Held>>, seen: Epoch) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if self.epoch() == seen {
            entries.insert(key.clone(), held);
        }
    }

    /// Forgets everything: another process may have written.
    pub(crate) fn invalidate(&self) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        self.epoch.fetch_add(1, Ordering::AcqRel);
        entries.clear();
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use claviger_model::{AccountName, ServerId, TenantId, UserId};
    use claviger_wire::ScopeSet;

    use super::*;

    pub(crate) fn key() -> CredentialKey {
        CredentialKey {
            tenant: TenantId::default_tenant(),
            user: UserId::owner(),
            server: ServerId::from_random([1; 16]),
            account: AccountName::default_account(),
        }
    }

    pub(crate) fn credential(life: Option<i64>) -> Credential {
        Credential {
            key: key(),
            version: 1,
            fingerprint: vec![1],
            issuer: "https://issuer.example".to_owned(),
            token_endpoint: "https://issuer.example/token".to_owned(),
            revocation_endpoint: None,
            resource: "https://mcp.example/mcp".to_owned(),
            registration: None,
            scopes_requested: ScopeSet::new(),
            scopes_granted: ScopeSet::new(),
            obtained_at: Timestamp::from_secs(1_000),
            expires_at: life.map(|life| Timestamp::from_secs(1_000 + life)),
            is_refreshable: true,
            sealed: Vec::new(),
        }
    }

    fn held(life: Option<i64>) -> Held {
        Held {
            row: credential(life),
            header: HeaderValue::from_static("Bearer x"),
            mark: TokenMark([0; 32]),
        }
    }

    #[test]
    fn z8_is_due_at_the_earlier_of_four_fifths_and_a_minute_before_the_end() {
        for (life, due) in [(3_600, 2_880), (200, 140), (100, 50), (4, 2)] {
            let held = held(Some(life));
            assert_eq!(
                held.age(Timestamp::from_secs(999 + due), 0),
                Age::Fresh,
                "{life}"
            );
            assert_eq!(
                held.age(Timestamp::from_secs(1_000 + due), 0),
                Age::Aging,
                "{life}"
            );
            assert_eq!(
                held.age(Timestamp::from_secs(999 + life), 0),
                Age::Aging,
                "{life}"
            );
            assert_eq!(
                held.age(Timestamp::from_secs(1_000 + life), 0),
                Age::Expired,
                "{life}"
            );
        }
    }

    #[test]
    fn q03_an_unknown_end_is_never_reached_by_the_clock() {
        assert_eq!(
            held(None).age(Timestamp::from_secs(i64::MAX), 255),
            Age::Fresh
        );
    }

    #[test]
    fn a_read_that_began_before_an_invalidation_is_not_kept() {
        let cache = Cache::default();
        let seen = cache.epoch();
        cache.invalidate();
        cache.keep(&key(), None, seen);
        assert!(matches!(cache.find(&key()), Known::Nothing));
        cache.keep(&key(), None, cache.epoch());
        assert!(matches!(cache.find(&key()), Known::Absent));
    }
}
