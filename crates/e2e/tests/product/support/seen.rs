//! What the upstream saw.

use serde_json::Value;

/// What happened so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) registrations: u32,
    pub(crate) redemptions: u32,
    pub(crate) refreshes: u32,
    pub(crate) refused_refreshes: u32,
    pub(crate) calls: u32,
    pub(crate) revocations: u32,
}

/// One request as it arrived at the MCP endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    /// Which connection it came on, counted from 1.
    pub(crate) connection: u64,
    pub(crate) authorization: Option<String>,
    /// The arguments of the tool that was called.
    pub(crate) arguments: Value,
}
