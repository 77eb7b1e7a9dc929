//! A rescue journal in memory, which can run out of disk.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use claviger_ports::{EntryId, Journal, JournalError};

/// Keeps the entries it was given.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    entries: Mutex<Vec<Kept>>,
    left: Mutex<Vec<Vec<u8>>>,
    elsewhere: Mutex<Vec<Vec<u8>>>,
    full: AtomicBool,
}

#[derive(Debug)]
struct Kept {
    entry: Vec<u8>,
    is_settled: bool,
    is_refused: bool,
}

// === impl MemoryJournal ===

impl MemoryJournal {
    /// An empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// The entries so far, oldest first, settled or not.
    pub fn entries(&self) -> Vec<Vec<u8>> {
        self.kept().iter().map(|kept| kept.entry.clone()).collect()
    }

    /// The entries that were not settled, oldest first: what a crash now would leave behind.
    pub fn unsettled(&self) -> Vec<Vec<u8>> {
        let kept = self.kept();
        let open = kept.iter().filter(|kept| !kept.is_settled);
        open.map(|kept| kept.entry.clone()).collect()
    }

    /// The entries that were set aside.
    pub fn refused(&self) -> Vec<Vec<u8>> {
        let kept = self.kept();
        let refused = kept.iter().filter(|kept| kept.is_refused);
        refused.map(|kept| kept.entry.clone()).collect()
    }

    /// A process died and left these behind.
    pub fn leave(&self, entries: impl IntoIterator<Item = Vec<u8>>) {
        let mut left = self.left.lock().expect("no test panicked here");
        left.extend(entries);
    }

    /// Another process has these in its hands.
    pub fn hold_elsewhere(&self, entries: impl IntoIterator<Item = Vec<u8>>) {
        let mut elsewhere = self.elsewhere.lock().expect("no test panicked here");
        elsewhere.extend(entries);
    }

    fn keep(&self, entry: Vec<u8>) -> EntryId {
        let mut kept = self.kept();
        kept.push(Kept {
            entry,
            is_settled: false,
            is_refused: false,
        });
        EntryId(u64::try_from(kept.len() - 1).expect("a small number"))
    }

    /// From now on every append fails, or works again.
    pub fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.entries.lock().expect("no test panicked here")
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn append(&self, entry: &[u8]) -> Result<EntryId, JournalError> {
        if self.full.load(Ordering::SeqCst) {
            return Err(JournalError {
                source: io::Error::from(io::ErrorKind::StorageFull),
            });
        }
        Ok(self.keep(entry.to_vec()))
    }

    fn settle(&self, entry: EntryId) {
        let index = usize::try_from(entry.0).expect("a small number");
        self.kept()[index].is_settled = true;
    }

    fn refuse(&self, entry: EntryId) {
        let index = usize::try_from(entry.0).expect("a small number");
        let mut kept = self.kept();
        kept[index].is_settled = true;
        kept[index].is_refused = true;
    }

    async fn adopt(&self) -> Vec<(EntryId, Vec<u8>)> {
        let left = core::mem::take(&mut *self.left.lock().expect("no test panicked here"));
        let adopted = left
            .into_iter()
            .map(|entry| (self.keep(entry.clone()), entry));
        adopted.collect()
    }

    async fn peek(&self) -> Vec<Vec<u8>> {
        let mut open = self.unsettled();
        for list in [&self.left, &self.elsewhere] {
            open.extend(list.lock().expect("no test panicked here").iter().cloned());
        }
        open
    }
}

#[cfg(test)]
mod tests {
    use claviger_ports::Journal;

    use super::MemoryJournal;

    #[tokio::test]
    async fn keeps_entries_in_order_and_none_when_full() {
        let journal = MemoryJournal::new();
        let one = journal.append(b"one").await.unwrap();
        journal.set_full(true);
        journal.append(b"two").await.unwrap_err();
        journal.set_full(false);
        journal.append(b"three").await.unwrap();
        assert_eq!(journal.entries(), [b"one".to_vec(), b"three".to_vec()]);
        journal.settle(one);
        assert_eq!(journal.unsettled(), [b"three".to_vec()]);
    }
}
