//! Links that begin a sign-in: they name whose and for what, and carry no more power than that.
//!
//! N14: a link is its own record, with a MAC that every node can make, so it opens on any of them
//! and after a restart. What is kept here is only which one was handed out last, so that whoever
//! asks again is shown the same.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use claviger_crypto::{Secret, base64url_decode, base64url_encode};
use claviger_model::{AccountName, CredentialKey, ServerId, SignInId, TenantId, Timestamp, UserId};

use crate::Vault;

/// The links that were handed out last; bounded.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    last: Mutex<HashMap<CredentialKey, Ticket>>,
}

/// A link, taken apart and found genuine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) name: String,
    pub(crate) key: CredentialKey,
    pub(crate) expires_at: Timestamp,
}

/// How long a link may be opened, in seconds.
const TICKET_TTL: i64 = 600;

/// With less than this left, in seconds, another one is handed out.
const ENOUGH: i64 = TICKET_TTL / 2;

/// Beyond this all that are remembered are forgotten; each still opens.
const MOST: usize = 10_000;

const VERSION: u8 = 1;

/// Of the MAC, in bytes: nobody guesses 128 bits in ten minutes.
const MAC_LEN: usize = 16;

// === impl Ticket ===

impl Ticket {
    /// A new link. `nonce` is fresh randomness, so that each link is used on its own.
    pub(crate) fn make(vault: &Vault, key: &CredentialKey, nonce: [u8; 8], now: Timestamp) -> Self {
        let expires_at = now.plus(TICKET_TTL);
        let mut body = vec![VERSION];
        body.extend_from_slice(&expires_at.as_secs().to_be_bytes());
        body.extend_from_slice(&nonce);
        let fields = [
            key.tenant.as_str(),
            key.user.as_str(),
            key.server.as_str(),
            key.account.as_str(),
        ];
        for field in fields {
            // An id has at most 64 characters.
            body.push(u8::try_from(field.len()).unwrap_or(u8::MAX));
            body.extend_from_slice(field.as_bytes());
        }
        let mac = mac_of(vault, &body);
        body.extend_from_slice(&mac);
        Self {
            name: base64url_encode(&body),
            key: key.clone(),
            expires_at,
        }
    }

    /// The link of this name, if we made it and it has not expired.
    pub(crate) fn open(vault: &Vault, name: &str, now: Timestamp) -> Option<Self> {
        let bytes = base64url_decode(name)?;
        let (body, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC_LEN)?)?;
        if !is_same(vault, mac, &mac_of(vault, body)) {
            return None;
        }
        let (&version, rest) = body.split_first()?;
        let (expires_at, rest) = rest.split_first_chunk::<8>()?;
        let (_nonce, mut rest) = rest.split_first_chunk::<8>()?;
        let expires_at = Timestamp::from_secs(i64::from_be_bytes(*expires_at));
        if version != VERSION || expires_at <= now {
            return None;
        }
        let mut field = || {
            let (&len, after) = rest.split_first()?;
            let (text, after) = after.split_at_checked(usize::from(len))?;
            rest = after;
            core::str::from_utf8(text).ok()
        };
        let key = CredentialKey {
            tenant: TenantId::parse(field()?).ok()?,
            user: UserId::parse(field()?).ok()?,
            server: ServerId::parse(field()?).ok()?,
            account: AccountName::parse(field()?).ok()?,
        };
        Some(Self {
            // Not as it was written: one link has one name.
            name: base64url_encode(&bytes),
            key,
            expires_at,
        })
    }

    /// The id of the `attempt`th sign-in that is begun with it. Since it follows from the link,
    /// every node finds what became of a link, and of two browsers one is the first.
    pub(crate) fn sign_in(&self, vault: &Vault, attempt: u8) -> SignInId {
        let text = Secret::new(format!("{}#{attempt}", self.name));
        let mark = vault.mark("link-sign-in", &text);
        let mut id = [0; 16];
        id.copy_from_slice(mark.get(..16).unwrap_or(&[0; 16]));
        SignInId::from_random(id)
    }

    /// What the browser gets that was the first to begin with it, and no other.
    pub(crate) fn cookie(&self, vault: &Vault) -> Secret {
        let mark = vault.mark("link-cookie", &Secret::new(self.name.as_str()));
        Secret::new(base64url_encode(&mark))
    }

    /// Whether that is what a browser sent.
    pub(crate) fn is_cookie(&self, vault: &Vault, cookie: &Secret) -> bool {
        let expected = self.cookie(vault);
        is_same(
            vault,
            cookie.expose().as_bytes(),
            expected.expose().as_bytes(),
        )
    }
}

// === impl Tickets ===

impl Tickets {
    /// The link that was handed out last, while it has enough of its life left. Its time is never
    /// extended: whoever finds an old link finds nothing.
    pub(crate) fn last(&self, key: &CredentialKey, now: Timestamp) -> Option<Ticket> {
        let last = self.open();
        let ticket = last.get(key)?;
        (ticket.expires_at.since(now) > ENOUGH).then(|| ticket.clone())
    }

    pub(crate) fn remember(&self, ticket: &Ticket) {
        let mut last = self.open();
        if last.len() >= MOST && !last.contains_key(&ticket.key) {
            last.clear();
        }
        last.insert(ticket.key.clone(), ticket.clone());
    }

    /// Forgets the link of `key`: its sign-in is done, and the next one gets a link of its own.
    pub(crate) fn forget(&self, key: &CredentialKey) {
        self.open().remove(key);
    }

    fn open(&self) -> MutexGuard<'_, HashMap<CredentialKey, Ticket>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn mac_of(vault: &Vault, body: &[u8]) -> [u8; MAC_LEN] {
    let mark = vault.mark("link", &Secret::new(base64url_encode(body)));
    let mut mac = [0; MAC_LEN];
    mac.copy_from_slice(mark.get(..MAC_LEN).unwrap_or(&[0; MAC_LEN]));
    mac
}

/// A comparison whose time says nothing: what is compared are MACs of both.
fn is_same(vault: &Vault, one: &[u8], other: &[u8]) -> bool {
    let mark = |bytes: &[u8]| vault.mark("compare", &Secret::new(base64url_encode(bytes)));
    mark(one) == mark(other)
}
