//! The rescue journal on disk: what an issuer gave, until the database has it (F13, F14).
//!
//! Each process has a file of its own below `journal/` in the data directory and holds its lock for
//! as long as it lives. A file whose lock is free was left by one that died; `replay` offers its
//! entries to the database. Entries are sealed by the broker; here they are bytes.

use core::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use claviger_ports::{Entropy, EntryId, Journal, JournalError};
use tokio::sync::oneshot;

pub use format::{HEAD_LEN, MAX_PAYLOAD, NotAJournal, Scanned, Unsettled, scan};
pub(crate) use replay::replay_often;
use writer::{Pending, Writer};

mod file;
mod format;
mod replay;
#[cfg(test)]
mod tests;
mod writer;

/// The journal of this process below a directory of its own, for whoever composes a broker.
pub fn open(directory: PathBuf, entropy: Arc<dyn Entropy>) -> Arc<dyn Journal> {
    Arc::new(FileJournal::new(directory, entropy))
}

/// The journal of this process. Its file is made when the first entry comes.
pub(crate) struct FileJournal {
    shared: Arc<Shared>,
}

struct Shared {
    /// Taken by the one thread that writes.
    writer: Mutex<Writer>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    next: u64,
    entries: Vec<(Pending, oneshot::Sender<io::Result<()>>)>,
    settled: Vec<u64>,
    refused: Vec<u64>,
    /// A thread is at it, and looks again before it ends.
    is_served: bool,
}

// === impl FileJournal ===

impl FileJournal {
    pub(crate) fn new(directory: PathBuf, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            shared: Arc::new(Shared {
                writer: Mutex::new(Writer::new(directory, entropy)),
                queue: Mutex::default(),
            }),
        }
    }

    /// Whoever comes while a batch is written is part of the next one: they share its fsync.
    fn serve(&self) {
        let is_served = core::mem::replace(&mut self.shared.queue().is_served, true);
        if is_served {
            return;
        }
        let shared = Arc::clone(&self.shared);
        drop(tokio::task::spawn_blocking(
            move || {
                while shared.serve_once() {}
            },
        ));
    }
}

#[async_trait]
impl Journal for FileJournal {
    async fn append(&self, entry: &[u8]) -> Result<EntryId, JournalError> {
        let (done, written) = oneshot::channel();
        let number = {
            let mut queue = self.shared.queue();
            let number = queue.number();
            let pending = Pending {
                number,
                payload: entry.to_vec(),
            };
            queue.entries.push((pending, done));
            number
        };
        self.serve();
        let gone = || Err(io::Error::other("the writer of the journal is gone"));
        match written.await.unwrap_or_else(|_| gone()) {
            Ok(()) => Ok(EntryId(number)),
            Err(source) => Err(JournalError { source }),
        }
    }

    fn settle(&self, entry: EntryId) {
        self.shared.queue().settled.push(entry.0);
        self.serve();
    }

    fn refuse(&self, entry: EntryId) {
        self.shared.queue().refused.push(entry.0);
        self.serve();
    }

    async fn adopt(&self) -> Vec<(EntryId, Vec<u8>)> {
        let shared = Arc::clone(&self.shared);
        let adopting = tokio::task::spawn_blocking(move || {
            let adopted = shared.writer().adopt(|| shared.queue().number());
            let ours = adopted.into_iter();
            ours.map(|(number, entry)| (EntryId(number), entry))
                .collect()
        });
        adopting.await.unwrap_or_else(|error| {
            tracing::error!(%error, "looking for journals of other processes broke off");
            Vec::new()
        })
    }

    async fn peek(&self) -> Vec<Vec<u8>> {
        let shared = Arc::clone(&self.shared);
        let peeking = tokio::task::spawn_blocking(move || {
            let directory = shared.writer().directory().to_owned();
            file::peek(&directory)
        });
        peeking.await.unwrap_or_else(|error| {
            tracing::error!(%error, "looking into the journals of all processes broke off");
            Vec::new()
        })
    }
}

impl fmt::Debug for FileJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileJournal").finish_non_exhaustive()
    }
}

impl Drop for FileJournal {
    fn drop(&mut self) {
        // Settlings that nobody got to; a thread that is still at work keeps its own handle.
        let mut writer = self.shared.writer();
        self.shared.settle_all(&mut writer);
        writer.close();
    }
}

// === impl Queue ===

impl Queue {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.settled.is_empty() && self.refused.is_empty()
    }
}

// === impl Shared ===

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle_all(&self, writer: &mut Writer) {
        let (settled, refused) = {
            let mut queue = self.queue();
            let settled = core::mem::take(&mut queue.settled);
            (settled, core::mem::take(&mut queue.refused))
        };
        for number in settled {
            writer.settle(number);
        }
        for number in refused {
            writer.refuse(number);
        }
    }

    /// One batch; false when there is nothing left to do.
    fn serve_once(&self) -> bool {
        let mut writer = self.writer();
        let entries = {
            let mut queue = self.queue();
            if queue.is_empty() {
                queue.is_served = false;
                return false;
            }
            core::mem::take(&mut queue.entries)
        };
        self.settle_all(&mut writer);
        let (batch, waiting): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
        let written = if batch.is_empty() {
            Ok(())
        } else {
            writer.append(&batch)
        };
        writer.tidy();
        for waiting in waiting {
            let told = match &written {
                Ok(()) => Ok(()),
                Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
            };
            // Whoever does not listen any more will not settle it either; replay will.
            drop(waiting.send(told));
        }
        true
    }
}
