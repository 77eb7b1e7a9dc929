//! Rows of grants: families of refresh tokens, and access tokens.

use async_trait::async_trait;
use claviger_model::{TenantId, Timestamp, UserId};
use claviger_wire::ScopeSet;

use super::{IssuerStoreError, TokenMac};

/// A grant and its chain of refresh tokens: one row.
#[derive(Debug, Clone)]
pub struct Family {
    /// The grant.
    pub grant: String,
    /// Whose client.
    pub client_id: String,
    /// For what.
    pub resource: String,
    /// What is granted.
    pub scopes: ScopeSet,
    /// Whose.
    pub tenant: TenantId,
    /// Whose.
    pub user: UserId,
    /// Thumbprint of the key to which the refresh tokens are bound.
    pub dpop_jkt: Option<String>,
    /// Keyed MAC of the live refresh token; none if the client gets none.
    pub current_mac: Option<TokenMac>,
    /// The last answer, for whoever missed it.
    pub replay: Option<Replay>,
    /// When it ends if nobody uses it.
    pub idle_expires_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was ended on purpose.
    pub revoked_at: Option<Timestamp>,
}

/// The answer to the last refresh. The next rotation overwrites it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Keyed MAC of the refresh token that was answered.
    pub previous_mac: TokenMac,
    /// The answer, sealed under what only the holder of that token has.
    pub sealed: Vec<u8>,
    /// When it was answered.
    pub rotated_at: Timestamp,
    /// How often it was given again after the first seconds.
    pub uses: u32,
}

/// For how long, and how often, the same refresh token gets the same answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshGrace {
    /// For so many seconds as often as asked.
    pub free_s: u32,
    /// For so many seconds in all.
    pub limited_s: u32,
    /// How often after `free_s`.
    pub limited_uses: u32,
}

/// One guarded attempt to get an answer again.
#[derive(Debug, Clone, Copy)]
pub struct ReplayClaim {
    /// Must be the refresh token that was answered last.
    pub previous: TokenMac,
    /// How much is allowed.
    pub grace: RefreshGrace,
    /// When.
    pub now: Timestamp,
}

/// An access token that was issued.
#[derive(Debug, Clone)]
pub struct AccessRow {
    /// Keyed MAC of the token.
    pub mac: TokenMac,
    /// The grant it hangs from.
    pub grant: String,
    /// To whom.
    pub client_id: String,
    /// For what.
    pub resource: String,
    /// What it allows.
    pub scopes: ScopeSet,
    /// Whose.
    pub tenant: TenantId,
    /// Whose.
    pub user: UserId,
    /// Thumbprint of the key to which it is bound.
    pub dpop_jkt: Option<String>,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A family found by one of its refresh tokens.
#[derive(Debug, Clone)]
pub enum FamilyMatch {
    /// By the live one.
    Current(Family),
    /// By one that was used before.
    Spent(Family),
}

/// One guarded step of a family.
#[derive(Debug, Clone)]
pub struct Rotate {
    /// Must be the live one and the family neither revoked nor over, else nothing happens.
    pub current: TokenMac,
    /// The next live one; the same if this client's does not rotate.
    pub next: TokenMac,
    /// The answer, sealed, for whoever asks again with `current`.
    pub sealed: Option<Vec<u8>>,
    /// When.
    pub now: Timestamp,
    /// The new idle end.
    pub idle_expires_at: Timestamp,
    /// The access token that goes with it.
    pub access: AccessRow,
}

/// Rows of grants.
#[async_trait]
pub trait GrantRows: Send + Sync + 'static {
    /// Begins a family that no code began, with its first access token.
    async fn insert_family(
        &self,
        family: Family,
        access: AccessRow,
    ) -> Result<(), IssuerStoreError>;

    /// The family of a refresh token, live or spent.
    async fn find_family(&self, mac: &TokenMac) -> Result<Option<FamilyMatch>, IssuerStoreError>;

    /// Moves a family on; `false` if its live token is another one, or it is revoked or over. Of
    /// many callers with one token one hears `true`.
    async fn rotate(&self, rotate: Rotate) -> Result<bool, IssuerStoreError>;

    /// The family whose last answer may be given again, and counts it; nothing if the grace is
    /// over, the successor was used, or the family is revoked or over.
    async fn claim_replay(&self, claim: &ReplayClaim) -> Result<Option<Family>, IssuerStoreError>;

    /// Ends a grant and everything that hangs from it.
    async fn revoke_grant(&self, grant: &str, now: Timestamp) -> Result<(), IssuerStoreError>;

    /// Ends every grant of a user, and the codes that would begin one (A118).
    async fn revoke_user(&self, user: &UserId, now: Timestamp) -> Result<(), IssuerStoreError>;

    /// An access token whose grant is not revoked.
    async fn find_access(&self, mac: &TokenMac) -> Result<Option<AccessRow>, IssuerStoreError>;

    /// Ends one access token.
    async fn revoke_access(&self, mac: &TokenMac) -> Result<(), IssuerStoreError>;
}

// === impl RefreshGrace ===

impl RefreshGrace {
    /// A refresh token is good once, whatever got lost.
    pub const NONE: Self = Self {
        free_s: 0,
        limited_s: 0,
        limited_uses: 0,
    };

    /// Whether anything is allowed at all.
    pub const fn is_none(self) -> bool {
        self.free_s == 0 && (self.limited_s == 0 || self.limited_uses == 0)
    }
}

impl Default for RefreshGrace {
    fn default() -> Self {
        Self {
            free_s: 5,
            limited_s: 30,
            limited_uses: 3,
        }
    }
}
