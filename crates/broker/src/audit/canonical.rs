//! What the MAC of an entry covers.

use claviger_crypto::MacKey;
use claviger_model::{AuditEntry, TenantId};

/// What the MAC is made for; another layout gets another name.
const PURPOSE: &str = "audit-entry/1";

/// The MAC of `entry` behind an entry with the MAC `before`; the first of a chain stands behind
/// nothing. Every field goes in behind its length, so that no two entries read alike.
pub(super) fn mac(key: &MacKey, before: &[u8], entry: &AuditEntry) -> [u8; 32] {
    let (tenant, seq) = (entry.tenant.as_ref(), entry.seq.to_be_bytes());
    let (at, count) = (entry.at.as_secs().to_be_bytes(), entry.count.to_be_bytes());
    let has_tenant: &[u8] = if tenant.is_some() { &[1] } else { &[0] };
    let parts: [&[u8]; 13] = [
        entry.chain.as_bytes(),
        &seq,
        before,
        entry.node.as_bytes(),
        &at,
        has_tenant,
        tenant.map_or("", TenantId::as_str).as_bytes(),
        entry.actor.as_bytes(),
        entry.act.as_bytes(),
        entry.object.as_bytes(),
        entry.outcome.as_bytes(),
        entry.detail.as_bytes(),
        &count,
    ];
    key.mac(PURPOSE, &parts)
}
