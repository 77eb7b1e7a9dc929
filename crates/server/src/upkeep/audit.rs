//! `audit`: the log of what was done, listed, exported and proved. Works beside a running server.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use claviger_broker::{
    AuditKey, Vault, Verdict, Verifier, is_key_of_log, line_of_entry, line_of_key,
};
use claviger_config::Config;
use claviger_model::{AuditEntry, AuditFilter, Timestamp};
use claviger_store::{Audit, StoreError};

use super::{UpkeepError, exported};
use crate::doors::Doors;
use crate::open::{self, Absent, Opened};

/// How many entries are read at once.
pub(super) const PAGE: u32 = 1_000;

/// Is told after every page: how many entries were read, and of how many at least.
pub type OnEntries<'a> = &'a mut (dyn FnMut(u64, u64) + Send);

/// What is to be proved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditProof {
    /// An exported file instead of the database.
    pub file: Option<PathBuf>,
    /// An earlier export, whose ends have to be there.
    pub against: Option<PathBuf>,
    /// The key file the installation had when the file was exported.
    pub key_file: Option<PathBuf>,
    /// Look at the numbers alone, without any key. That proves nothing against whoever can write.
    pub is_order_only: bool,
}

/// Entries a filter asks for, newest first.
pub async fn audit_list(
    config: &Config,
    filter: &AuditFilter,
) -> Result<Vec<AuditEntry>, UpkeepError> {
    let opened = opened(config).await?;
    opened
        .store
        .audit()
        .list_audit(filter)
        .await
        .map_err(failed)
}

/// Gives the wrapped keys and every entry as lines of JSON, chain by chain, those before `since` left
/// out. Says how many entries.
pub async fn audit_export(
    config: &Config,
    since: Option<Timestamp>,
    each: &mut (dyn FnMut(&str) -> std::io::Result<()> + Send),
) -> Result<u64, UpkeepError> {
    let unwritten = |source| UpkeepError::AuditFile { source };
    let opened = opened(config).await?;
    let keys = opened.store.keys().list_keys().await.map_err(failed)?;
    for key in keys.iter().filter(|key| is_key_of_log(key)) {
        each(&line_of_key(key)).map_err(unwritten)?;
    }
    let audit = opened.store.audit();
    let heads = audit.list_chain_heads().await.map_err(failed)?;
    let mut given = 0;
    for head in &heads {
        let (mut after, mut has_begun, mut before) = (0, false, None);
        while after < head.seq {
            let page = page(&*audit, head, after).await?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            for entry in page {
                // A clock that was set back must not leave a hole.
                if !has_begun && since.is_some_and(|since| entry.at < since) {
                    before = Some(entry);
                    continue;
                }
                has_begun = true;
                // Its MAC is what the first one that was asked for stands behind.
                for entry in before.take().iter().chain([&entry]) {
                    each(&line_of_entry(entry)).map_err(unwritten)?;
                    given += 1;
                }
            }
        }
    }
    Ok(given)
}

/// Verifies every chain.
pub async fn audit_verify(
    config: &Config,
    proof: &AuditProof,
    on_entries: OnEntries<'_>,
) -> Result<Verdict, UpkeepError> {
    if let Some(file) = &proof.file {
        return exported::verify(config, file, proof, on_entries).await;
    }
    let opened = opened(config).await?;
    let verdict = walk(&opened, proof, on_entries).await?;
    if verdict.problems.is_empty() {
        return Ok(verdict);
    }
    // Entries that were pruned while we read are no reason to worry anybody.
    walk(&opened, proof, on_entries).await
}

/// Up to the heads that were there at one instant: what checkpoints before that instant say of
/// others is true then.
async fn walk(
    opened: &Opened,
    proof: &AuditProof,
    on_entries: OnEntries<'_>,
) -> Result<Verdict, UpkeepError> {
    let audit = opened.store.audit();
    let heads = audit.list_chain_heads().await.map_err(failed)?;
    let total = heads.iter().map(|head| head.seq).sum();
    let newest = opened.vault.audit_key().await.map_err(keyless)?;
    let generations: BTreeSet<u32> = (1..=newest.generation).collect();
    let mut verifier = verifier(&opened.vault, &generations, proof).await?;
    let mut read = 0;
    for head in &heads {
        let mut after = 0;
        while after < head.seq {
            let page = page(&*audit, head, after).await?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            for entry in &page {
                verifier.push(entry);
                read += 1;
            }
            on_entries(read, total);
        }
    }
    Ok(verifier.finish())
}

async fn page(
    audit: &dyn Audit,
    head: &AuditEntry,
    after: u64,
) -> Result<Vec<AuditEntry>, UpkeepError> {
    let mut page = audit
        .list_chain(&head.chain, after, PAGE)
        .await
        .map_err(failed)?;
    page.retain(|entry| entry.seq <= head.seq);
    Ok(page)
}

async fn verifier(
    vault: &Vault,
    generations: &BTreeSet<u32>,
    proof: &AuditProof,
) -> Result<Verifier, UpkeepError> {
    let mut keys: Vec<AuditKey> = Vec::new();
    for generation in generations {
        // One that is gone, or never was, is found where an entry names it.
        if let Ok(key) = vault.audit_key_of(*generation).await {
            keys.push(key);
        }
    }
    let mut verifier = Verifier::new(keys);
    exported::expect(&mut verifier, proof)?;
    Ok(verifier)
}

pub(super) async fn opened(config: &Config) -> Result<Opened, UpkeepError> {
    let doors = Doors::open(config, Vec::new())?;
    let (entropy, clock) = (Arc::clone(&doors.entropy), Arc::clone(&doors.clock));
    Ok(open::open(config, entropy, clock, Absent::Refuse).await?)
}

fn failed(source: StoreError) -> UpkeepError {
    UpkeepError::Store {
        place: "database",
        source,
    }
}

fn keyless(source: claviger_broker::VaultError) -> UpkeepError {
    open::OpenError::Vault { source }.into()
}
