//! Entries as lines of JSON, for whoever verifies a copy elsewhere, and the keys that takes, wrapped
//! as they are stored: a copy and the key file are enough then.

use claviger_crypto::hex;
use claviger_model::{AuditEntry, KeyRow, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::vault::AUDIT_PURPOSE;

/// What a line of an export is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exported {
    /// An entry.
    Entry(Box<AuditEntry>),
    /// A wrapped key of the log.
    Key(Box<KeyRow>),
}

/// A line that is neither.
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

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyLine {
    audit_key: u32,
    kek_id: String,
    wrapped: String,
    created_at: i64,
}

/// A wrapped key of the log as one line of JSON.
pub fn line_of_key(key: &KeyRow) -> String {
    let line = KeyLine {
        audit_key: key.generation,
        kek_id: hex(&key.kek_id),
        wrapped: hex(&key.wrapped),
        created_at: key.created_at.as_secs(),
    };
    // Texts and numbers always print.
    serde_json::to_string(&line).unwrap_or_default()
}

/// Whether a wrapped key is one of the log.
pub fn is_key_of_log(key: &KeyRow) -> bool {
    key.tenant.is_none() && key.purpose == AUDIT_PURPOSE
}

/// Reads a line of an export. Nothing in it is believed yet.
pub fn read_line(line: &[u8]) -> Result<Exported, Unreadable> {
    if line.len() > LONGEST {
        return Err(Unreadable);
    }
    if let Ok(key) = serde_json::from_slice::<KeyLine>(line) {
        return Ok(Exported::Key(Box::new(KeyRow {
            tenant: None,
            purpose: AUDIT_PURPOSE.to_owned(),
            generation: key.audit_key,
            kek_id: unhex(&key.kek_id).ok_or(Unreadable)?,
            wrapped: unhex(&key.wrapped).ok_or(Unreadable)?,
            created_at: Timestamp::from_secs(key.created_at),
        })));
    }
    entry_of_line(line).map(|entry| Exported::Entry(Box::new(entry)))
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
fn entry_of_line(line: &[u8]) -> Result<AuditEntry, Unreadable> {
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

/// No line of ours is longer: an entry names 200 heads at most.
pub const LONGEST: usize = 256 * 1024;

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
