//! A credential: what we hold for a user at a server, sealed.

use claviger_wire::ScopeSet;

use crate::{AccountName, RegistrationId, ServerId, TenantId, Timestamp, UserId};

/// Whose credential, for which server, under which account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialKey {
    /// The tenant.
    pub tenant: TenantId,
    /// The user.
    pub user: UserId,
    /// The server.
    pub server: ServerId,
    /// The account.
    pub account: AccountName,
}

/// One credential as it is stored. The tokens are inside `sealed`; the rest may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Whose it is.
    pub key: CredentialKey,
    /// Counts the writes, from 1.
    pub version: u64,
    /// Keyed MAC of the refresh token, or of the access token where there is none. A write is
    /// guarded by this and nothing else (I30).
    pub fingerprint: Vec<u8>,
    /// The issuer that gave it; compared as text.
    pub issuer: String,
    /// The token endpoint that gave it. Refresh tokens go there and nowhere else (Q39).
    pub token_endpoint: String,
    /// Where it can be revoked (RFC 7009), if the issuer said so.
    pub revocation_endpoint: Option<String>,
    /// The `resource` as it was sent; empty where none was.
    pub resource: String,
    /// The client information it was obtained with.
    pub registration: Option<RegistrationId>,
    /// Scopes asked for, over all sign-ins since the last disconnect (C-65).
    pub scopes_requested: ScopeSet,
    /// Scopes granted.
    pub scopes_granted: ScopeSet,
    /// When the access token was obtained.
    pub obtained_at: Timestamp,
    /// When the access token ends; `None` is unknown, and unknown is never refreshed by the clock.
    pub expires_at: Option<Timestamp>,
    /// Whether there is a refresh token.
    pub is_refreshable: bool,
    /// The tokens.
    pub sealed: Vec<u8>,
}
