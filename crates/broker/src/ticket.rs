//! Links that begin a sign-in: they name whose and for what, and carry no more power than that.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use claviger_model::{CredentialKey, Timestamp};

/// Links that were handed out and not forgotten yet; bounded.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    open: Mutex<HashMap<String, Ticket>>,
}

#[derive(Debug)]
struct Ticket {
    key: CredentialKey,
    expires_at: Timestamp,
    /// Which browser began a sign-in with it: a keyed MAC of its cookie.
    bound: Option<[u8; 32]>,
}

/// How long a link may be opened, in seconds.
const TICKET_TTL: i64 = 600;

/// With less than this left, in seconds, another one is handed out.
const ENOUGH: i64 = TICKET_TTL / 2;

/// Beyond this the oldest goes.
const MOST: usize = 10_000;

impl Tickets {
    /// The link's name for `key`: the one that is open and nobody's yet, or `fresh` as a new one.
    /// Its time is never extended: whoever finds an old link finds nothing.
    pub(crate) fn issue(&self, key: &CredentialKey, fresh: String, now: Timestamp) -> String {
        let mut open = self.open();
        open.retain(|_, ticket| ticket.expires_at > now);
        let known = open.iter().find(|(_, ticket)| {
            ticket.key == *key && ticket.bound.is_none() && ticket.expires_at.since(now) > ENOUGH
        });
        if let Some((name, _)) = known {
            return name.clone();
        }
        if open.len() >= MOST {
            let oldest = open
                .iter()
                .min_by_key(|(_, ticket)| ticket.expires_at)
                .map(|(name, _)| name.clone());
            oldest.map(|name| open.remove(&name));
        }
        let ticket = Ticket {
            key: key.clone(),
            expires_at: now.plus(TICKET_TTL),
            bound: None,
        };
        open.insert(fresh.clone(), ticket);
        fresh
    }

    /// Forgets the links of `key`: its sign-in is done, and the next one gets a link of its own.
    pub(crate) fn forget(&self, key: &CredentialKey) {
        self.open().retain(|_, ticket| ticket.key != *key);
    }

    /// What a link is for.
    pub(crate) fn find(&self, name: &str, now: Timestamp) -> Option<CredentialKey> {
        let open = self.open();
        let ticket = open.get(name)?;
        (ticket.expires_at > now).then(|| ticket.key.clone())
    }

    /// Whether the browser with this cookie may begin with a link: the one that did, or any where
    /// none did yet.
    pub(crate) fn may_follow(&self, name: &str, mark: Option<[u8; 32]>) -> bool {
        self.open()
            .get(name)
            .is_some_and(|ticket| ticket.bound.is_none() || ticket.bound == mark)
    }

    /// From now on only the browser with this cookie may follow the link.
    pub(crate) fn bind(&self, name: &str, mark: [u8; 32]) {
        if let Some(ticket) = self.open().get_mut(name) {
            ticket.bound = Some(mark);
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, Ticket>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::tests::key;

    #[test]
    fn a_link_is_handed_out_for_half_its_life_and_never_lives_longer() {
        let (tickets, now) = (Tickets::default(), Timestamp::from_secs(100));
        let issue =
            |name: &str, after: i64| tickets.issue(&key(), name.to_owned(), now.plus(after));
        assert_eq!(issue("one", 0), "one");
        assert_eq!(issue("two", 299), "one");
        assert_eq!(issue("two", 300), "two");
        assert_eq!(tickets.find("one", now.plus(599)), Some(key()));
        assert_eq!(tickets.find("one", now.plus(600)), None);
        assert_eq!(tickets.find("three", now), None);
        tickets.forget(&key());
        assert_eq!(tickets.find("two", now.plus(301)), None);
    }

    #[test]
    fn a_link_is_its_first_browsers() {
        let (tickets, now) = (Tickets::default(), Timestamp::from_secs(100));
        tickets.issue(&key(), "one".to_owned(), now);
        assert!(tickets.may_follow("one", None) && tickets.may_follow("one", Some([1; 32])));
        tickets.bind("one", [1; 32]);
        assert!(tickets.may_follow("one", Some([1; 32])));
        assert!(!tickets.may_follow("one", Some([2; 32])) && !tickets.may_follow("one", None));
        // Somebody else's try does not lock out the person.
        assert_eq!(tickets.issue(&key(), "two".to_owned(), now), "two");
    }
}
