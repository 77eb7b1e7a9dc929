//! `claviger audit`: what was done, and that nobody changed what is written of it.

use claviger_model::AuditEntry;
use claviger_server::upkeep::UpkeepError;
use serde_json::{Value, json};

use crate::engine;
use crate::error::CommandError;

pub(crate) mod export;
pub(crate) mod list;
pub(crate) mod verify;

fn not_done(error: &UpkeepError) -> CommandError {
    match error {
        UpkeepError::Open(source) => engine::not_open(source),
        UpkeepError::AuditFile { .. } | UpkeepError::AuditLine { .. } => {
            engine::of_upkeep("audit_file", error)
        }
        _ => engine::of_upkeep("audit", error),
    }
}

/// An entry for a program that reads it, not for proving it.
fn shown(entry: &AuditEntry) -> Value {
    let detail: Value = serde_json::from_str(&entry.detail).unwrap_or_default();
    json!({
        "at": entry.at.to_string(),
        "actor": entry.actor,
        "act": entry.act,
        "object": entry.object,
        "outcome": entry.outcome,
        "count": entry.count,
        "tenant": entry.tenant,
        "node": entry.node,
        "chain": entry.chain,
        "seq": entry.seq,
        "detail": detail,
    })
}
