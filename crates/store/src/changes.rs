//! What changed, for whoever keeps rows in memory.

use claviger_model::{CredentialKey, ServerId, TenantId};

/// How far a reader has read; only the backend that gave it understands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);

/// One change by any process, this one included.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Change {
    /// API tokens of a tenant.
    ApiTokens(TenantId),
    /// A credential. It has this version now; `None`: it is gone. Of a connection that is written
    /// alone nothing is told: nobody keeps it in memory.
    Credential(CredentialKey, Option<u64>),
    /// The wrapped keys.
    Keys,
    /// A server, with all that hangs on it.
    Server(TenantId, ServerId),
    /// Whether the installation is held, or its restore epoch.
    Installation,
}

/// What happened since a cursor. A change may be told twice, and is never left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Where to go on.
    pub cursor: Cursor,
    /// What changed.
    pub changes: Vec<Change>,
    /// The cursor was too old, or there was none: anything may have changed.
    pub is_everything: bool,
}
