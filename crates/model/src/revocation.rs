//! Revocations that are still owed to an issuer.

use crate::{CredentialKey, RevocationId, Timestamp};

/// Tokens that ended here and that their issuer has not yet confirmed to have ended (RFC 7009).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Id.
    pub id: RevocationId,
    /// Whose credential it was. The server may be gone by now.
    pub key: CredentialKey,
    /// What the server was called.
    pub server_name: String,
    /// The issuer; compared as text.
    pub issuer: String,
    /// Sealed: tokens, revocation endpoint, client information, how far the request may reach.
    pub sealed: Vec<u8>,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next.
    pub next_at: Timestamp,
    /// Why the last try failed, in our words.
    pub last_failure: Option<String>,
    /// When it was queued.
    pub created_at: Timestamp,
}
