//! Credentials in memory, so that the hot path touches no database.

use core::hash::BuildHasher as _;
use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::HashMap;
use std::hash::RandomState;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use claviger_model::{Credential, CredentialKey, ServerId, Timestamp};
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

/// What is known of each key: a credential, or that there is none. In shards, so that a write for
/// one key holds up few readers and undoes few reads of others.
#[derive(Debug)]
pub(crate) struct Cache {
    shards: Vec<Shard>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Shard {
    entries: RwLock<HashMap<CredentialKey, Option<Arc<Held>>>>,
    epoch: AtomicU64,
}

/// The state of the world when a read began; an entry read before an invalidation is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Epoch(u64);

const SHARDS: usize = 64;

/// How many keys a shard remembers; beyond this any one goes, and is read again when it is used.
const MOST_PER_SHARD: usize = 4_096;

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
    /// To be taken before a row is read, and given to [`Cache::keep`] after.
    pub(crate) fn epoch(&self, key: &CredentialKey) -> Epoch {
        self.shard(key).epoch()
    }

    /// What is known of `key`.
    pub(crate) fn find(&self, key: &CredentialKey) -> Known {
        match self.shard(key).read().get(key) {
            Some(Some(held)) => Known::Held(Arc::clone(held)),
            Some(None) => Known::Absent,
            None => Known::Nothing,
        }
    }

    /// Keeps what was read, unless something was invalidated since `seen`.
    pub(crate) fn keep(&self, key: &CredentialKey, held: Option<Arc<Held>>, seen: Epoch) {
        let shard = self.shard(key);
        let mut entries = shard.write();
        if shard.epoch() != seen {
            return;
        }
        if entries.len() >= MOST_PER_SHARD && !entries.contains_key(key) {
            let any = entries.keys().next().cloned();
            any.map(|any| entries.remove(&any));
        }
        entries.insert(key.clone(), held);
    }

    /// Forgets one key: it was written.
    pub(crate) fn forget(&self, key: &CredentialKey) {
        let shard = self.shard(key);
        let mut entries = shard.write();
        shard.epoch.fetch_add(1, Ordering::AcqRel);
        entries.remove(key);
    }

    /// Forgets one key, unless what is known of it is the version that was written, or newer.
    pub(crate) fn forget_older(&self, key: &CredentialKey, version: u64) {
        let is_current = matches!(self.find(key), Known::Held(held) if held.row.version >= version);
        if !is_current {
            self.forget(key);
        }
    }

    /// Forgets everything about one server.
    pub(crate) fn forget_server(&self, server: &ServerId) {
        for shard in &self.shards {
            let mut entries = shard.write();
            shard.epoch.fetch_add(1, Ordering::AcqRel);
            entries.retain(|key, _| key.server != *server);
        }
    }

    /// Forgets everything: another process may have written.
    pub(crate) fn invalidate(&self) {
        for shard in &self.shards {
            let mut entries = shard.write();
            shard.epoch.fetch_add(1, Ordering::AcqRel);
            entries.clear();
        }
    }

    fn shard(&self, key: &CredentialKey) -> &Shard {
        let hash = self.hasher.hash_one(key);
        let at = usize::try_from(hash % SHARDS as u64).unwrap_or_default();
        &self.shards[at]
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            hasher: RandomState::new(),
        }
    }
}

// === impl Shard ===

impl Shard {
    fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Acquire))
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<CredentialKey, Option<Arc<Held>>>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<CredentialKey, Option<Arc<Held>>>> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
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
        let undo: [fn(&Cache); 3] = [
            Cache::invalidate,
            |cache| cache.forget(&key()),
            |cache| cache.forget_server(&key().server),
        ];
        for undo in undo {
            let cache = Cache::default();
            let seen = cache.epoch(&key());
            undo(&cache);
            cache.keep(&key(), None, seen);
            assert!(matches!(cache.find(&key()), Known::Nothing));
            cache.keep(&key(), None, cache.epoch(&key()));
            assert!(matches!(cache.find(&key()), Known::Absent));
            undo(&cache);
            assert!(matches!(cache.find(&key()), Known::Nothing));
        }
    }

    #[test]
    fn what_we_wrote_ourselves_is_not_forgotten_when_we_hear_of_it() {
        let cache = Cache::default();
        let keep = || cache.keep(&key(), Some(Arc::new(held(None))), cache.epoch(&key()));
        keep();
        cache.forget_older(&key(), 1);
        assert!(matches!(cache.find(&key()), Known::Held(_)));
        cache.forget_older(&key(), 2);
        assert!(matches!(cache.find(&key()), Known::Nothing));
        cache.keep(&key(), None, cache.epoch(&key()));
        cache.forget_older(&key(), 1);
        assert!(matches!(cache.find(&key()), Known::Nothing));
    }

    #[test]
    fn forgets_one_server_and_no_other() {
        let cache = Cache::default();
        let mut other = key();
        other.server = ServerId::from_random([2; 16]);
        for key in [key(), other.clone()] {
            cache.keep(&key, None, cache.epoch(&key));
        }
        cache.forget_server(&key().server);
        assert!(matches!(cache.find(&key()), Known::Nothing));
        assert!(matches!(cache.find(&other), Known::Absent));
    }

    #[test]
    fn is_bounded() {
        let cache = Cache::default();
        for n in 0..MOST_PER_SHARD * SHARDS * 2 {
            let mut other = key();
            other.user = UserId::parse(&format!("u{n}")).unwrap();
            cache.keep(&other, None, cache.epoch(&other));
        }
        let kept: usize = cache.shards.iter().map(|shard| shard.read().len()).sum();
        assert_eq!(kept, MOST_PER_SHARD * SHARDS);
    }
}
