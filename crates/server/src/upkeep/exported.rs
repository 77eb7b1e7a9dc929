//! An exported audit log, read and proved. It holds the keys of its chains, wrapped: with the key
//! file it is proved anywhere, and where a generation is missing in it, by the database.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use claviger_broker::{
    AuditKey, Exported, Keks, LONGEST_LINE, Verdict, Verifier, generation_of, read_line,
};
use claviger_config::{Config, KeySource};
use claviger_model::KeyRow;

use super::audit::{OnEntries, PAGE, opened};
use super::{AuditProof, UpkeepError};
use crate::open::keks;

/// More generations than anybody has.
const MOST_KEYS: usize = 10_000;

/// Proves a file, as far as its keys are at hand.
pub(super) async fn verify(
    config: &Config,
    file: &Path,
    proof: &AuditProof,
    on_entries: OnEntries<'_>,
) -> Result<Verdict, UpkeepError> {
    let mut verifier = if proof.is_order_only {
        Verifier::order_only()
    } else {
        Verifier::new(keys_for(config, file, proof).await?)
    };
    expect(&mut verifier, proof)?;
    verifier.allow_late_beginnings();
    let mut read = 0;
    for line in lines(file)? {
        let Exported::Entry(entry) = line? else {
            continue;
        };
        verifier.push(&entry);
        read += 1;
        if read % u64::from(PAGE) == 0 {
            on_entries(read, read);
        }
    }
    Ok(verifier.finish())
}

/// Tells a verifier what an earlier export says has to be there.
pub(super) fn expect(verifier: &mut Verifier, proof: &AuditProof) -> Result<(), UpkeepError> {
    let Some(against) = &proof.against else {
        return Ok(());
    };
    for line in lines(against)? {
        if let Exported::Entry(entry) = line? {
            verifier.expect(&entry);
        }
    }
    Ok(())
}

/// The keys of a file: unwrapped with the key file, or those of the database.
async fn keys_for(
    config: &Config,
    file: &Path,
    proof: &AuditProof,
) -> Result<Vec<AuditKey>, UpkeepError> {
    let (mut named, mut wrapped) = (BTreeSet::new(), BTreeMap::new());
    for line in lines(file)? {
        match line? {
            Exported::Entry(entry) => named.extend(generation_of(&entry)),
            Exported::Key(row) => drop(wrapped.insert(row.generation, *row)),
        }
        if named.len().max(wrapped.len()) > MOST_KEYS {
            break;
        }
    }
    let mut config = config.clone();
    if let Some(key_file) = &proof.key_file {
        config.keys.source = KeySource::File;
        config.keys.file = Some(key_file.clone());
    }
    let mut keys = match keks(&config) {
        Ok(keks) => unwrapped(&keks, &wrapped).await,
        Err(error) => {
            tracing::debug!(%error, "there is no key file to prove an export with");
            Vec::new()
        }
    };
    for key in &keys {
        named.remove(&key.generation);
    }
    if named.is_empty() {
        return Ok(keys);
    }
    match opened(&config).await {
        Ok(opened) => {
            for generation in named {
                // One that is gone, or never was, is found where an entry names it.
                keys.extend(opened.vault.audit_key_of(generation).await.ok());
            }
            Ok(keys)
        }
        // What cannot be judged for the lack of a key is said, entry by entry.
        Err(_) if !keys.is_empty() => Ok(keys),
        Err(error) => Err(UpkeepError::NoAuditKey {
            source: Box::new(error),
        }),
    }
}

async fn unwrapped(keks: &Keks, wrapped: &BTreeMap<u32, KeyRow>) -> Vec<AuditKey> {
    let mut keys = Vec::new();
    for row in wrapped.values() {
        match AuditKey::unwrapped(keks, row).await {
            Ok(key) => keys.push(key),
            Err(error) => {
                let generation = row.generation;
                tracing::debug!(%error, generation, "a key in an export does not unwrap");
            }
        }
    }
    keys
}

/// The lines of an export. It may come from anywhere, so none is read that is longer than ours.
fn lines(path: &Path) -> Result<impl Iterator<Item = Result<Exported, UpkeepError>>, UpkeepError> {
    let file = File::open(path).map_err(|source| UpkeepError::AuditFile { source })?;
    let (mut file, mut number) = (BufReader::new(file), 0);
    Ok(core::iter::from_fn(move || {
        loop {
            number += 1;
            match next_line(&mut file) {
                Ok(None) => return None,
                Ok(Some(line)) if line.is_empty() => {}
                Ok(Some(line)) => {
                    let unreadable = |_not_one| UpkeepError::AuditLine { line: number };
                    return Some(read_line(&line).map_err(unreadable));
                }
                Err(source) => return Some(Err(UpkeepError::AuditFile { source })),
            }
        }
    }))
}

/// The next line without its end; of one that is too long as much as shows that it is.
fn next_line(file: &mut BufReader<File>) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let most = u64::try_from(LONGEST_LINE).unwrap_or(u64::MAX);
    let read = file
        .take(most.saturating_add(2))
        .read_until(b'\n', &mut line)?;
    if read == 0 {
        return Ok(None);
    }
    while line
        .last()
        .is_some_and(|last| matches!(last, b'\n' | b'\r'))
    {
        line.pop();
    }
    Ok(Some(line))
}
