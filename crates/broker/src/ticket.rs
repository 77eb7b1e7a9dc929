//! Links that begin a sign-in: they name whose and for what, and carry no more power than that.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use claviger_model::{CredentialKey, Timestamp};

/// Links that were handed out and not forgotten yet; bounded.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    open: Mutex<HashMap<String, (CredentialKey, Timestamp)>>,
}

/// How long a link may be opened, in seconds.
const TICKET_TTL: i64 = 600;

/// Beyond this the oldest goes.
const MOST: usize = 10_000;

impl Tickets {
    /// The link's name for `key`: the one that is open, or `fresh` as a new one.
    pub(crate) fn issue(&self, key: &CredentialKey, fresh: String, now: Timestamp) -> String {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, (_, expires_at)| *expires_at > now);
        if let Some((name, (_, expires_at))) = open.iter_mut().find(|(_, (of, _))| of == key) {
            *expires_at = now.plus(TICKET_TTL);
            return name.clone();
        }
        if open.len() >= MOST {
            let oldest = open
                .iter()
                .min_by_key(|(_, (_, at))| *at)
                .map(|(name, _)| name.clone());
            oldest.map(|name| open.remove(&name));
        }
        open.insert(fresh.clone(), (key.clone(), now.plus(TICKET_TTL)));
        fresh
    }

    /// Forgets the link of `key`: its sign-in is done, and the next one gets a link of its own.
    pub(crate) fn forget(&self, key: &CredentialKey) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, (of, _)| of != key);
    }

    /// What a link is for.
    pub(crate) fn find(&self, name: &str, now: Timestamp) -> Option<CredentialKey> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (key, expires_at) = open.get(name)?;
        (*expires_at > now).then(|| key.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::tests::key;

    #[test]
    fn one_link_per_connection_until_it_expires() {
        let (tickets, now) = (Tickets::default(), Timestamp::from_secs(100));
        assert_eq!(tickets.issue(&key(), "one".to_owned(), now), "one");
        assert_eq!(
            tickets.issue(&key(), "two".to_owned(), now.plus(599)),
            "one"
        );
        assert_eq!(tickets.find("one", now.plus(1_000)), Some(key()));
        assert_eq!(tickets.find("one", now.plus(1_199)), None);
        assert_eq!(tickets.find("two", now), None);
        tickets.forget(&key());
        assert_eq!(tickets.find("one", now.plus(1_000)), None);
    }
}
