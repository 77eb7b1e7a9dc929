//! The reader and the verifier of audit exports: they never panic, and nothing passes but what was
//! written, from its beginning on.
//!
//! The input is an export; and it is a change to a good one, whose MACs are made here as
//! `docs/audit.md` says, as a second opinion on the layout.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use claviger_broker::{AuditKey, Exported, Verifier, line_of_entry, line_of_key, read_line};
use claviger_crypto::{MacKey, hex};
use claviger_model::{AuditEntry, TenantId, Timestamp};
use libfuzzer_sys::fuzz_target;

fn key() -> AuditKey {
    AuditKey { generation: 1, key: MacKey::new([7; 32]) }
}

fn mac(before: &[u8], entry: &AuditEntry) -> Vec<u8> {
    let tenant = entry.tenant.as_ref().map_or("", TenantId::as_str);
    let has_tenant: &[u8] = if entry.tenant.is_some() { &[1] } else { &[0] };
    let parts: [&[u8]; 13] = [
        entry.chain.as_bytes(),
        &entry.seq.to_be_bytes(),
        before,
        entry.node.as_bytes(),
        &entry.at.as_secs().to_be_bytes(),
        has_tenant,
        tenant.as_bytes(),
        entry.actor.as_bytes(),
        entry.act.as_bytes(),
        entry.object.as_bytes(),
        entry.outcome.as_bytes(),
        entry.detail.as_bytes(),
        &entry.count.to_be_bytes(),
    ];
    key().key.mac("audit-entry/1", &parts).to_vec()
}

/// Appends an entry to its chain.
fn append(chain: &mut Vec<AuditEntry>, name: &str, act: &str, detail: &str) {
    let before = chain.last().map_or(Vec::new(), |last| last.mac.clone());
    let mut entry = AuditEntry {
        chain: name.to_owned(),
        seq: chain.len() as u64 + 1,
        node: "local".to_owned(),
        at: Timestamp::from_secs(1_800_000_000),
        tenant: (act != "audit.checkpoint").then(TenantId::default_tenant),
        actor: "user:owner".to_owned(),
        act: act.to_owned(),
        object: "linear".to_owned(),
        outcome: "ok".to_owned(),
        detail: detail.to_owned(),
        count: 1,
        mac: Vec::new(),
    };
    entry.mac = mac(&before, &entry);
    chain.push(entry);
}

/// Two chains, and the second knows how far the first had come.
static GOOD: LazyLock<Vec<AuditEntry>> = LazyLock::new(|| {
    let (mut one, mut two) = (Vec::new(), Vec::new());
    for act in ["audit.begin", "credential.store", "credential.use", "audit.end"] {
        append(&mut one, "aa", act, r#"{"key":1}"#);
    }
    let heads = format!(r#"{{"heads":[["aa",4,"{}"]],"key":1}}"#, hex(&one[3].mac));
    append(&mut two, "bb", "audit.begin", r#"{"key":1}"#);
    append(&mut two, "bb", "audit.checkpoint", &heads);
    [one, two].concat()
});

fn entries_in(text: &[u8]) -> Vec<AuditEntry> {
    let mut entries = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        match read_line(line) {
            Ok(Exported::Entry(entry)) => {
                let again = read_line(line_of_entry(&entry).as_bytes());
                assert_eq!(again, Ok(Exported::Entry(entry.clone())));
                entries.push(*entry);
            }
            Ok(Exported::Key(row)) => {
                let again = read_line(line_of_key(&row).as_bytes());
                assert_eq!(again, Ok(Exported::Key(row)));
            }
            Err(_) => {}
        }
    }
    entries
}

/// Whether every chain is the beginning of one that was written.
fn is_good(entries: &[AuditEntry]) -> bool {
    let mut chains: BTreeMap<&str, Vec<&AuditEntry>> = BTreeMap::new();
    for entry in entries {
        chains.entry(&entry.chain).or_default().push(entry);
    }
    chains.iter().all(|(chain, found)| {
        let written: Vec<_> = GOOD.iter().filter(|one| one.chain == *chain).collect();
        found.len() <= written.len() && found.iter().zip(written).all(|(a, b)| *a == b)
    })
}

fn judge(text: &[u8]) {
    let entries = entries_in(text);
    let passes = |mut verifier: Verifier| {
        entries.iter().for_each(|entry| verifier.push(entry));
        verifier.finish().problems.is_empty()
    };
    if passes(Verifier::new([key()])) {
        assert!(is_good(&entries), "what was not written passed");
    }
    let mut late = Verifier::new([key()]);
    late.allow_late_beginnings();
    passes(late);
    passes(Verifier::order_only());
    let mut against = Verifier::new([key()]);
    GOOD.iter().for_each(|entry| against.expect(entry));
    if passes(against) {
        assert_eq!(entries.len(), GOOD.len(), "something is missing, and passed");
    }
}

fuzz_target!(|input: &[u8]| {
    judge(input);
    let lines: Vec<String> = GOOD.iter().map(line_of_entry).collect();
    let mut text = lines.join("\n").into_bytes();
    let entries = entries_in(&text);
    assert_eq!(entries, *GOOD);
    let Some(([high, low, len], rest)) = input.split_first_chunk::<3>() else {
        judge(&text);
        return;
    };
    let at = usize::from(u16::from_be_bytes([*high, *low])) % (text.len() + 1);
    let end = text.len().min(at + usize::from(*len));
    text.splice(at..end, rest.iter().copied());
    judge(&text);
});
