//! Entries of the audit log.

use crate::{TenantId, Timestamp};

/// One entry of one chain. Its MAC covers every field and the MAC of the entry before it, so that
/// nothing in the middle can be changed, added or taken away unseen (N11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// The chain: random, written by one process for its life.
    pub chain: String,
    /// Counts within the chain, from 1.
    pub seq: u64,
    /// The node that wrote it.
    pub node: String,
    /// When.
    pub at: Timestamp,
    /// Whose business it is; `None` for the installation's.
    pub tenant: Option<TenantId>,
    /// Who did it: `user:owner`, `token:<id>`, `system`.
    pub actor: String,
    /// What was done, such as `credential.refresh` or `server.add`.
    pub act: String,
    /// To what, such as a slug or a key's purpose and generation.
    pub object: String,
    /// How it came out: `ok`, `refused`, `failed`, `ambiguous`.
    pub outcome: String,
    /// More, as one JSON object without secrets.
    pub detail: String,
    /// How often, where alike uses were counted together; else 1.
    pub count: u64,
    /// The MAC.
    pub mac: Vec<u8>,
}

/// Which entries are asked for; an absent field is no condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Of one tenant.
    pub tenant: Option<TenantId>,
    /// By one actor.
    pub actor: Option<String>,
    /// Acts with this name, or with names that begin with it and a dot.
    pub act: Option<String>,
    /// About one object.
    pub object: Option<String>,
    /// Not before this instant.
    pub since: Option<Timestamp>,
    /// Before this instant.
    pub until: Option<Timestamp>,
    /// At most this many, the newest.
    pub limit: u32,
}
