//! An entry as a line of JSON, for whoever verifies a copy elsewhere.

use claviger_crypto::hex;
use claviger_model::{AuditEntry, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

/// A line that is no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an entry of an audit log")]
pub struct Unreadable;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    chain: String,
    seq: u64,
    node: String,
    at: i64,
    tenant: Option<TenantId>,
    actor: String,
    act: String,
    object: String,
    outcome: String,
    /// As it is covered by the MAC, byte for byte.
    detail: String,
    count: u64,
    mac: String,
}

/// An entry as one line of JSON, with all that is needed to verify it.
pub fn line_of_entry(entry: &AuditEntry) -> String {
    let line = Line {
        chain: entry.chain.clone(),
        seq: entry.seq,
        node: entry.node.clone(),
        at: entry.at.as_secs(),
        tenant: entry.tenant.clone(),
        actor: entry.actor.clone(),
        act: entry.act.clone(),
        object: entry.object.clone(),
        outcome: entry.outcome.clone(),
        detail: entry.detail.clone(),
        count: entry.count,
        mac: hex(&entry.mac),
    };
    // Texts and numbers always print.
    serde_json::to_string(&line).unwrap_or_default()
}

/// Reads such a line.
pub fn entry_of_line(line: &[u8]) -> Result<AuditEntry, Unreadable> {
    let line: Line = serde_json::from_slice(line).map_err(|_shape| Unreadable)?;
    Ok(AuditEntry {
        chain: line.chain,
        seq: line.seq,
        node: line.node,
        at: Timestamp::from_secs(line.at),
        tenant: line.tenant,
        actor: line.actor,
        act: line.act,
        object: line.object,
        outcome: line.outcome,
        detail: line.detail,
        count: line.count,
        mac: unhex(&line.mac).ok_or(Unreadable)?,
    })
}

/// Bytes written in hex.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let nibble = |byte: u8| char::from(byte).to_digit(16);
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| match *pair {
            [high, low] => u8::try_from(nibble(high)? << 4 | nibble(low)?).ok(),
            _ => None,
        })
        .collect()
}
