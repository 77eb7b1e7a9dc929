//! Links to our own sign-in page: handed out by one node, opened on any (N14).

use claviger_crypto::Secret;
use claviger_model::{CredentialKey, Outcome, SignInId};
use claviger_store::StoreError;

use crate::broker::Inner;
use crate::serve::Chain;
use crate::ticket::Ticket;
use crate::{Broker, HoldError};

/// A link somebody opened: genuine, not expired, and not used up.
#[derive(Debug, Clone)]
pub struct Link {
    /// Whose sign-in it begins, and where.
    pub key: CredentialKey,
    /// Whether this browser may begin with it: the one that did, or any where none did yet.
    pub may_follow: bool,
    ticket: Ticket,
    attempt: u8,
}

/// How often a sign-in may be begun with one link.
const MOST_ATTEMPTS: u8 = 8;

/// What became of a link so far.
struct Used {
    /// How often a sign-in was begun with it.
    attempts: u8,
    /// How the last one ended, if it did.
    outcome: Option<Outcome>,
}

impl Broker {
    /// The link under which a person begins the sign-in of `key`; empty where no page is served.
    pub(crate) async fn link(&self, key: &CredentialKey) -> String {
        let inner = &self.inner;
        let Some(base) = &inner.parts.settings.link_base else {
            return String::new();
        };
        let ticket = inner.next_ticket(key).await;
        format!("{base}/login/{}", ticket.name)
    }

    /// What a link is for, whatever became of it.
    pub fn ticket(&self, name: &str) -> Option<CredentialKey> {
        let now = self.inner.parts.clock.now();
        Ticket::open(self.vault(), name, now).map(|ticket| ticket.key)
    }

    /// A link that a browser opened; nothing if it is none, has expired, or led to a sign-in
    /// already, on whichever node. Once a browser began with it, no other may begin again or over
    /// (A056).
    pub async fn open_link(
        &self,
        name: &str,
        cookie: Option<&Secret>,
    ) -> Result<Option<Link>, HoldError> {
        let inner = &self.inner;
        let now = inner.parts.clock.now();
        let Some(ticket) = Ticket::open(self.vault(), name, now) else {
            return Ok(None);
        };
        let used = inner.used(&ticket).await?;
        if used.outcome == Some(Outcome::Success) || used.attempts >= MOST_ATTEMPTS {
            return Ok(None);
        }
        let is_its_own = cookie.is_some_and(|cookie| ticket.is_cookie(self.vault(), cookie));
        Ok(Some(Link {
            key: ticket.key.clone(),
            may_follow: used.attempts == 0 || is_its_own,
            attempt: used.attempts,
            ticket,
        }))
    }

    /// What the browser keeps that began with a link.
    pub fn link_cookie(&self, link: &Link) -> Secret {
        link.ticket.cookie(self.vault())
    }
}

// === impl Link ===

impl Link {
    /// The id of the sign-in that is begun with it now.
    pub(crate) fn sign_in(&self, inner: &Inner) -> SignInId {
        self.ticket.sign_in(&inner.parts.vault, self.attempt)
    }
}

// === impl Inner ===

impl Inner {
    /// The link that was handed out last, unless somebody began with it, or a new one.
    async fn next_ticket(&self, key: &CredentialKey) -> Ticket {
        let now = self.parts.clock.now();
        if let Some(last) = self.tickets.last(key, now) {
            let first = last.sign_in(&self.parts.vault, 0);
            match self.rows(key).find_sign_in(&first).await {
                Ok(None) => return last,
                Ok(Some(_)) => {}
                Err(error) => {
                    tracing::debug!(error = %Chain(&error), "could not look after a link");
                    return last;
                }
            }
        }
        let mut nonce = [0; 8];
        nonce.copy_from_slice(&self.parts.entropy.id_bytes()[..8]);
        let fresh = Ticket::make(&self.parts.vault, key, nonce, now);
        self.tickets.remember(&fresh);
        fresh
    }

    async fn used(&self, ticket: &Ticket) -> Result<Used, StoreError> {
        let rows = self.rows(&ticket.key);
        let mut used = Used {
            attempts: 0,
            outcome: None,
        };
        while used.attempts < MOST_ATTEMPTS {
            let id = ticket.sign_in(&self.parts.vault, used.attempts);
            let Some(begun) = rows.find_sign_in(&id).await? else {
                break;
            };
            used.attempts += 1;
            used.outcome = begun.outcome;
        }
        Ok(used)
    }
}
