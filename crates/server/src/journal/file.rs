//! One journal file: locked by its process, removed once nothing in it is open.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use claviger_crypto::base64url_encode;
use claviger_ports::failpoint_io;

use super::format::{self, HEAD_LEN, ID_LEN};

/// How a journal file is called, behind its id.
pub(crate) const SUFFIX: &str = "journal";

/// A file is turned over at a megabyte; one much larger than that is none of ours.
const MOST_READ: u64 = 64 * 1024 * 1024;

/// A file of this process.
#[derive(Debug)]
pub(crate) struct JournalFile {
    id: [u8; ID_LEN],
    /// The lock lives as long as this handle: it tells others that we are alive.
    file: File,
    path: PathBuf,
    end: u64,
    /// Our number of each open entry, and its number in this file.
    open: BTreeMap<u64, u64>,
    has_refused: bool,
}

/// What a dead process left: its file, and the open entries under our numbers.
pub(crate) type Adopted = (JournalFile, Vec<(u64, Vec<u8>)>);

// === impl JournalFile ===

impl JournalFile {
    /// Makes a file with a new id. It gets its name when it is locked, so that nobody takes it for
    /// one that a dead process left.
    pub(crate) fn create(directory: &Path, id: [u8; ID_LEN]) -> io::Result<Self> {
        make_directory(directory)?;
        let name = base64url_encode(&id);
        let draft = directory.join(format!("{name}.new"));
        let path = directory.join(format!("{name}.{SUFFIX}"));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        let begun = begin(&file, &id).and_then(|()| fs::rename(&draft, &path));
        if let Err(error) = begun {
            remove(&draft);
            return Err(error);
        }
        sync_directory(directory)?;
        Ok(Self {
            id,
            file,
            path,
            end: len(HEAD_LEN),
            open: BTreeMap::new(),
            has_refused: false,
        })
    }

    /// Takes over a file that a dead process left, with what is open in it; `None` where its
    /// process lives, or another one was faster. `number` gives each entry a number of ours.
    pub(crate) fn adopt(
        path: &Path,
        number: &mut impl FnMut() -> u64,
    ) -> io::Result<Option<Adopted>> {
        if !fs::symlink_metadata(path)?.file_type().is_file() {
            return Err(io::Error::other("it is not a plain file"));
        }
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Whoever had it until just now may have removed it.
        if file.metadata()?.nlink() == 0 {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        (&file).take(MOST_READ).read_to_end(&mut bytes)?;
        let scanned = format::scan(&bytes).map_err(io::Error::other)?;
        if scanned.is_torn {
            tracing::info!(path = %path.display(), "a journal ends in a torn record");
        }
        let mut open = BTreeMap::new();
        let mut entries = Vec::new();
        for entry in &scanned.open {
            let ours = number();
            open.insert(ours, entry.number);
            entries.push((ours, entry.payload.to_vec()));
        }
        let adopted = Self {
            id: scanned.id,
            path: path.to_owned(),
            end: len(scanned.end),
            file,
            open,
            has_refused: false,
        };
        Ok(Some((adopted, entries)))
    }

    pub(crate) fn id(&self) -> &[u8; ID_LEN] {
        &self.id
    }

    /// Writes records behind the last one. What is written in part does not count, and goes.
    pub(crate) fn write(&mut self, records: &[u8]) -> io::Result<()> {
        let written =
            failpoint_io!("journal.write").and_then(|()| self.file.write_all_at(records, self.end));
        #[cfg(test)]
        let written = written.and_then(|()| super::tests::fault(&self.path, "fail-write"));
        if let Err(error) = written {
            // If this fails too the next record is written over it, and the rest is a torn tail.
            if let Err(error) = self.file.set_len(self.end) {
                tracing::debug!(%error, "could not cut off a torn record");
            }
            return Err(error);
        }
        self.end += len(records.len());
        Ok(())
    }

    /// Whether what was written is on disk. After an error this file must not be asked again: the
    /// kernel may have thrown the pages away, and would say yes (F12).
    pub(crate) fn sync(&self) -> io::Result<()> {
        failpoint_io!("journal.fsync")?;
        #[cfg(test)]
        super::tests::fault(&self.path, "fail-sync")?;
        self.file.sync_data()
    }

    pub(crate) fn opened(&mut self, number: u64) {
        self.open.insert(number, number);
    }

    pub(crate) fn holds(&self, number: u64) -> bool {
        self.open.contains_key(&number)
    }

    /// Not synced: a settling that is lost costs one look at the database.
    pub(crate) fn settle(&mut self, number: u64) {
        let Some(inside) = self.open.remove(&number) else {
            return;
        };
        let record = format::settled(&self.id, inside);
        if let Err(error) = self.write(&record) {
            tracing::debug!(%error, "could not settle an entry of the journal");
        }
    }

    /// It stays in the file, and the file is set aside in the end.
    pub(crate) fn refuse(&mut self, number: u64) {
        self.has_refused |= self.open.remove(&number).is_some();
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    pub(crate) fn size(&self) -> u64 {
        self.end
    }

    /// Begins anew in the same file. Only where nothing in it is needed.
    pub(crate) fn truncate(&mut self) -> io::Result<()> {
        if self.has_refused || !self.is_idle() {
            return Err(io::Error::other("something in it is needed"));
        }
        self.file.set_len(len(HEAD_LEN))?;
        self.end = len(HEAD_LEN);
        Ok(())
    }

    /// Nothing in it is open any more.
    pub(crate) fn put_away(self) {
        if !self.has_refused {
            return remove(&self.path);
        }
        let aside = self.path.with_extension("refused");
        tracing::error!(path = %aside.display(), "a journal holds entries that cannot be used; it is set aside");
        if let Err(error) = fs::rename(&self.path, &aside) {
            tracing::debug!(%error, "could not set a journal aside");
        }
    }
}

/// The open entries of all files; one that is written meanwhile may be missed, or end torn.
pub(crate) fn peek(directory: &Path) -> Vec<Vec<u8>> {
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    let paths = files.map(|file| file.path());
    let journals = paths.filter(|path| path.extension().is_some_and(|found| found == SUFFIX));
    let mut open = Vec::new();
    for path in journals {
        // It may have been put away since.
        let Ok(file) = File::open(&path) else {
            continue;
        };
        let mut bytes = Vec::new();
        if file.take(MOST_READ).read_to_end(&mut bytes).is_ok()
            && let Ok(scanned) = format::scan(&bytes)
        {
            open.extend(scanned.open.iter().map(|entry| entry.payload.to_vec()));
        }
    }
    open
}

fn begin(file: &File, id: &[u8; ID_LEN]) -> io::Result<()> {
    file.try_lock().map_err(io::Error::from)?;
    failpoint_io!("journal.write")?;
    file.write_all_at(&format::head(id), 0)?;
    failpoint_io!("journal.fsync")?;
    file.sync_all()
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::debug!(%error, "could not remove a journal file");
    }
}

/// Whoever else may read it learns how often we refresh; whoever may write could take entries away.
fn make_directory(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Ok(()) => {
            if let Some(parent) = directory.parent() {
                sync_directory(parent)?;
            }
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let metadata = fs::symlink_metadata(directory)?;
    if !metadata.is_dir() || metadata.mode() & 0o077 != 0 {
        let why = "the journal directory must be a directory with mode 700";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    Ok(())
}

pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn len(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
