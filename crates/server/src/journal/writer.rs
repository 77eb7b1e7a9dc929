//! What the one thread that writes does: batches, a file that failed, a file that is full.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use claviger_ports::Entropy;

use super::file::{JournalFile, SUFFIX};
use super::format;

/// Beyond this many bytes a file is begun anew, or another one is.
const FULL: u64 = 1024 * 1024;

/// One entry that is to be made durable.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) number: u64,
    pub(super) payload: Vec<u8>,
}

/// The files of this process.
pub(super) struct Writer {
    directory: PathBuf,
    entropy: Arc<dyn Entropy>,
    current: Option<JournalFile>,
    /// Full or failed ones, in which something is still open.
    retired: Vec<JournalFile>,
    /// Files of others that could not be read.
    useless: Vec<PathBuf>,
}

// === impl Writer ===

impl Writer {
    pub(super) fn new(directory: PathBuf, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            directory,
            entropy,
            current: None,
            retired: Vec::new(),
            useless: Vec::new(),
        }
    }

    /// Makes the entries of a batch durable, all with one fsync.
    pub(super) fn append(&mut self, batch: &[Pending]) -> io::Result<()> {
        match self.append_once(batch) {
            // A second file, once: where that fails as well the disk is to blame.
            Err(Failed::Sync(error)) => {
                tracing::error!(%error, "the journal could not be brought to disk; a new file is begun");
                self.retire();
                self.append_once(batch).map_err(|failed| {
                    if matches!(failed, Failed::Sync(_)) {
                        self.retire();
                    }
                    failed.into()
                })
            }
            done => done.map_err(io::Error::from),
        }
    }

    fn append_once(&mut self, batch: &[Pending]) -> Result<(), Failed> {
        let mut file = match self.current.take() {
            Some(file) => file,
            None => JournalFile::create(&self.directory, self.entropy.id_bytes())
                .map_err(Failed::Write)?,
        };
        let done = write(&mut file, batch);
        self.current = Some(file);
        done
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn settle(&mut self, number: u64) {
        let files = self.current.iter_mut().chain(&mut self.retired);
        for file in files.filter(|file| file.holds(number)) {
            file.settle(number);
        }
    }

    pub(super) fn refuse(&mut self, number: u64) {
        for file in self.current.iter_mut().chain(&mut self.retired) {
            file.refuse(number);
        }
    }

    /// Takes over the files of dead processes.
    pub(super) fn adopt(&mut self, mut number: impl FnMut() -> u64) -> Vec<(u64, Vec<u8>)> {
        let mut adopted = Vec::new();
        for path in self.left_behind() {
            match JournalFile::adopt(&path, &mut number) {
                Ok(Some((file, entries))) => {
                    self.retired.push(file);
                    adopted.extend(entries);
                }
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => self.leave_alone(path, &error),
            }
        }
        self.tidy();
        adopted
    }

    /// Says once, not every few seconds, that a file is of no use.
    fn leave_alone(&mut self, path: PathBuf, error: &io::Error) {
        tracing::error!(path = %path.display(), %error, "a journal cannot be read; it is left alone");
        self.useless.push(path);
    }

    fn left_behind(&self) -> Vec<PathBuf> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(%error, "the journals of other processes cannot be listed");
                }
                return Vec::new();
            }
        };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let is_journal = |path: &PathBuf| path.extension().is_some_and(|found| found == SUFFIX);
        let mut paths: Vec<PathBuf> = paths
            .filter(is_journal)
            .filter(|path| !self.useless.contains(path))
            .collect();
        paths.sort();
        paths
    }

    /// Puts away what is full or not needed.
    pub(super) fn tidy(&mut self) {
        let (idle, busy) = core::mem::take(&mut self.retired)
            .into_iter()
            .partition(JournalFile::is_idle);
        self.retired = busy;
        let idle: Vec<JournalFile> = idle;
        for file in idle {
            file.put_away();
        }
        let Some(file) = self.current.as_mut().filter(|file| file.size() > FULL) else {
            return;
        };
        if !file.is_idle() || file.truncate().is_err() {
            self.retire();
        }
    }

    /// The end of this process: a file that nobody needs is not left behind.
    pub(super) fn close(&mut self) {
        self.retire();
        self.tidy();
    }

    fn retire(&mut self) {
        self.retired.extend(self.current.take());
    }
}

enum Failed {
    Sync(io::Error),
    Write(io::Error),
}

impl From<Failed> for io::Error {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Sync(error) | Failed::Write(error) => error,
        }
    }
}

fn write(file: &mut JournalFile, batch: &[Pending]) -> Result<(), Failed> {
    let mut records = Vec::new();
    for pending in batch {
        let record = format::entry(file.id(), pending.number, &pending.payload);
        let too_long = || Failed::Write(io::ErrorKind::FileTooLarge.into());
        records.extend(record.ok_or_else(too_long)?);
    }
    file.write(&records).map_err(Failed::Write)?;
    file.sync().map_err(Failed::Sync)?;
    for pending in batch {
        file.opened(pending.number);
    }
    Ok(())
}
