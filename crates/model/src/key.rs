//! A wrapped key.

use crate::{TenantId, Timestamp};

/// A key as it is stored: random, wrapped by the KEK, in generations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// The tenant, for tenant keys; `None` for the installation's own keys.
    pub tenant: Option<TenantId>,
    /// What it is for: `tenant`, `mac`, `journal`, `audit`, `sentinel`.
    pub purpose: String,
    /// Counts from 1.
    pub generation: u32,
    /// Which KEK wraps it.
    pub kek_id: Vec<u8>,
    /// The wrapped key.
    pub wrapped: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}
