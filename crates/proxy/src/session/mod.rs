//! Session ids of upstreams, sealed for the one caller who may use them.

use core::fmt;
use std::sync::Arc;

use claviger_crypto::{
    Context, SealedFor, TenantKey, base64url_decode, base64url_encode, open, seal,
};
use claviger_model::{Server, TenantId, UserId};
use claviger_ports::Entropy;

#[cfg(test)]
mod tests;

/// Whose session, and where.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The tenant.
    pub tenant: &'a TenantId,
    /// The user.
    pub user: &'a UserId,
    /// The server; its URL counts too, so that a session ends when the server moves.
    pub server: &'a Server,
}

/// What a sealed session id holds.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionNote {
    /// The id the upstream gave.
    pub upstream_id: String,
    /// Whether the client can show a URL, if it said so in `initialize`. It says so only once, and
    /// any node may get the next request.
    pub elicits_url: Option<bool>,
}

/// Seals session ids (A153, G-03).
pub trait SealSession: Send + Sync + 'static {
    /// The id that the caller sees: visible ASCII.
    fn seal(&self, place: &Place<'_>, note: &SessionNote) -> String;

    /// Opens an id at the place it was sealed for; `None` for any other.
    fn open(&self, place: &Place<'_>, sealed: &str) -> Option<SessionNote>;
}

/// Seals session ids with a key.
#[derive(Clone)]
pub struct SessionKey {
    key: TenantKey,
    entropy: Arc<dyn Entropy>,
}

// === impl SessionNote ===

impl SessionNote {
    fn encode(&self) -> Vec<u8> {
        let mark = match self.elicits_url {
            None => b'?',
            Some(false) => b'n',
            Some(true) => b'y',
        };
        let mut out = vec![mark];
        out.extend_from_slice(self.upstream_id.as_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (mark, id) = bytes.split_first()?;
        let elicits_url = match mark {
            b'?' => None,
            b'n' => Some(false),
            b'y' => Some(true),
            _ => return None,
        };
        let upstream_id = String::from_utf8(id.to_vec()).ok()?;
        Some(Self {
            upstream_id,
            elicits_url,
        })
    }
}

// An upstream's session id is as good as a key to what the session holds.
impl fmt::Debug for SessionNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionNote")
            .field("elicits_url", &self.elicits_url)
            .finish_non_exhaustive()
    }
}

// === impl SessionKey ===

impl SessionKey {
    /// Seals with `key`; every node that serves the same callers needs the same one.
    pub fn new(key: TenantKey, entropy: Arc<dyn Entropy>) -> Self {
        Self { key, entropy }
    }
}

impl SealSession for SessionKey {
    fn seal(&self, place: &Place<'_>, note: &SessionNote) -> String {
        let salt = self.entropy.key_bytes();
        let record = seal(&self.key, &context(place), salt, &note.encode());
        base64url_encode(&record)
    }

    fn open(&self, place: &Place<'_>, sealed: &str) -> Option<SessionNote> {
        if sealed.len() > MAX_SEALED {
            return None;
        }
        let record = base64url_decode(sealed)?;
        let note = open(&self.key, &context(place), &record).ok()?;
        SessionNote::decode(&note)
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionKey").finish_non_exhaustive()
    }
}

fn context(place: &Place<'_>) -> Context {
    Context::new(SealedFor::McpSession)
        .tenant(place.tenant.as_str())
        .user(place.user.as_str())
        .server(place.server.id.as_str())
        .origin(&place.server.url)
}

/// Longer ids of upstreams are not passed on.
pub(crate) const MAX_UPSTREAM_ID: usize = 1024;

const MAX_SEALED: usize = 2 * MAX_UPSTREAM_ID;
