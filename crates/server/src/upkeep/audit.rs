//! `audit`: the log of what was done, listed, exported and proved. Works beside a running server.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use claviger_broker::{AuditKey, Vault, Verdict, Verifier, entry_of_line, line_of_entry};
use claviger_config::Config;
use claviger_model::{AuditEntry, AuditFilter, Timestamp};
use claviger_store::{Audit, StoreError};

use super::UpkeepError;
use crate::doors::Doors;
use crate::open::{self, Absent, Opened};

/// How many entries are read at once.
const PAGE: u32 = 1_000;

/// Is told after every page: how many entries were read, and of how many at least.
pub type OnEntries<'a> = &'a mut (dyn FnMut(u64, u64) + Send);

/// What is to be proved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditProof {
    /// An exported file instead of the database.
    pub file: Option<PathBuf>,
    /// An earlier export, whose ends have to be there.
    pub against: Option<PathBuf>,
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

/// Gives every entry as a line of JSON, chain by chain, those before `since` left out. Says how
/// many.
pub async fn audit_export(
    config: &Config,
    since: Option<Timestamp>,
    each: &mut (dyn FnMut(&str) -> std::io::Result<()> + Send),
) -> Result<u64, UpkeepError> {
    let opened = opened(config).await?;
    let audit = opened.store.audit();
    let heads = audit.list_chain_heads().await.map_err(failed)?;
    let mut given = 0;
    for head in &heads {
        let mut after = 0;
        while after < head.seq {
            let page = page(&*audit, head, after).await?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            for entry in page
                .iter()
                .filter(|one| since.is_none_or(|since| one.at >= since))
            {
                each(&line_of_entry(entry)).map_err(|source| UpkeepError::AuditFile { source })?;
                given += 1;
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
    let opened = opened(config).await?;
    if let Some(file) = &proof.file {
        let mut verifier = verifier(&opened.vault, &generations_in(file)?, proof).await?;
        verifier.allow_late_beginnings();
        let mut read = 0;
        for entry in entries_in(file)? {
            verifier.push(&entry?);
            read += 1;
            if read % u64::from(PAGE) == 0 {
                on_entries(read, read);
            }
        }
        return Ok(verifier.finish());
    }
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
    if let Some(against) = &proof.against {
        for entry in entries_in(against)? {
            verifier.expect(&entry?);
        }
    }
    Ok(verifier)
}

fn generations_in(path: &Path) -> Result<BTreeSet<u32>, UpkeepError> {
    let mut generations = BTreeSet::new();
    for entry in entries_in(path)? {
        generations.extend(claviger_broker::generation_of(&entry?));
        if generations.len() > 10_000 {
            break;
        }
    }
    Ok(generations)
}

fn entries_in(
    path: &Path,
) -> Result<impl Iterator<Item = Result<AuditEntry, UpkeepError>>, UpkeepError> {
    let file = File::open(path).map_err(|source| UpkeepError::AuditFile { source })?;
    let lines = BufReader::new(file).split(b'\n').enumerate();
    Ok(lines
        .filter(|(_, line)| !matches!(line, Ok(line) if line.is_empty()))
        .map(|(index, line)| {
            let line = line.map_err(|source| UpkeepError::AuditFile { source })?;
            entry_of_line(&line).map_err(|_not_one| UpkeepError::AuditLine { line: index + 1 })
        }))
}

async fn opened(config: &Config) -> Result<Opened, UpkeepError> {
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
