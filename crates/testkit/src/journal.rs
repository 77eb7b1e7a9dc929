//! A rescue journal in memory, which can run out of disk.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use claviger_ports::{Journal, JournalError};

/// Keeps the entries it was given.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    entries: Mutex<Vec<Vec<u8>>>,
    full: AtomicBool,
}

// === impl MemoryJournal ===

impl MemoryJournal {
    /// An empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// The entries so far, oldest first.
    pub fn entries(&self) -> Vec<Vec<u8>> {
        self.entries.lock().expect("no test panicked here").clone()
    }

    /// From now on every append fails, or works again.
    pub fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn append(&self, entry: &[u8]) -> Result<(), JournalError> {
        if self.full.load(Ordering::SeqCst) {
            return Err(JournalError {
                source: io::Error::from(io::ErrorKind::StorageFull),
            });
        }
        self.entries
            .lock()
            .expect("no test panicked here")
            .push(entry.to_vec());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use claviger_ports::Journal;

    use super::MemoryJournal;

    #[tokio::test]
    async fn keeps_entries_in_order_and_none_when_full() {
        let journal = MemoryJournal::new();
        journal.append(b"one").await.unwrap();
        journal.set_full(true);
        journal.append(b"two").await.unwrap_err();
        journal.set_full(false);
        journal.append(b"three").await.unwrap();
        assert_eq!(journal.entries(), [b"one".to_vec(), b"three".to_vec()]);
    }
}
