//! An API token of our own, for clients that cannot do OAuth.

use crate::{ApiTokenId, ServerId, TenantId, Timestamp, UserId};

/// A token as it is stored: a keyed MAC, never the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Id.
    pub id: ApiTokenId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Who it speaks for.
    pub user: UserId,
    /// Name for people.
    pub name: String,
    /// Keyed MAC of the token.
    pub mac: Vec<u8>,
    /// Only these servers; `None` is all.
    pub servers: Option<Vec<ServerId>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}
