//! The rescue journal, as the broker uses it: what an issuer gave is sealed and on this machine's
//! disk before the database is asked to take it (F11, F13, F14).
//!
//! `entry` is what is written, `replay` what becomes of an entry whose process died, or gave up on
//! a database that was away for too long.

use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use claviger_crypto::{Context, SealedFor};
use claviger_model::{Credential, Server};
use claviger_ports::EntryId;

use crate::broker::Inner;
use crate::record::Tokens;
use crate::serve::Chain;
use entry::Entry;
pub(crate) use entry::{Gave, Lent};

mod entry;
mod replay;

/// A disk that is full for a night is no reason for a log of megabytes (A249).
const FAILURES_PER_LINE: u32 = 100;

/// What this process knows of journals.
#[derive(Debug, Default)]
pub(crate) struct Rescue {
    failures: AtomicU32,
    /// Entries that are still to be offered to the database, by us.
    left: Mutex<Vec<Written>>,
    /// One replay at a time: of two, one would see an answer that is not stored yet as lost.
    turn: tokio::sync::Mutex<()>,
}

/// An entry that is on disk.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    id: EntryId,
    sealed: Vec<u8>,
}

// === impl Rescue ===

impl Rescue {
    fn left(&self) -> MutexGuard<'_, Vec<Written>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Inner ===

impl Inner {
    /// Writes down what an issuer gave. `None` where that is not possible: the database decides
    /// alone then, as it would without a journal.
    pub(crate) async fn write_down(
        &self,
        server: &Server,
        gave: Gave,
        row: &Credential,
        tokens: &Tokens,
    ) -> Option<Written> {
        match self.append(server, gave, row, tokens).await {
            Ok(written) => {
                self.rescue.failures.store(0, Ordering::Relaxed);
                Some(written)
            }
            Err(error) => {
                let failures = self.rescue.failures.fetch_add(1, Ordering::Relaxed);
                if failures.is_multiple_of(FAILURES_PER_LINE) {
                    tracing::error!(error = %Chain(&*error), failures, "the rescue journal cannot be written; a crash in the next moment would cost a sign-in");
                }
                None
            }
        }
    }

    async fn append(
        &self,
        server: &Server,
        gave: Gave,
        row: &Credential,
        tokens: &Tokens,
    ) -> Result<Written, Box<dyn std::error::Error + Send + Sync>> {
        let plain = Entry::new(server, gave, row, tokens).to_bytes()?;
        let sealed = self.parts.vault.seal_journal(&context(), &plain).await?;
        let id = self.parts.journal.append(&sealed).await?;
        Ok(Written { id, sealed })
    }

    /// The database has it, or never needs it.
    pub(crate) fn settle(&self, written: Option<Written>) {
        if let Some(written) = written {
            self.parts.journal.settle(written.id);
        }
    }

    /// The database did not take it for as long as somebody waited: it is tried again from time to
    /// time, by this process or by the one that finds its journal.
    pub(crate) fn leave(&self, written: Option<Written>) {
        self.rescue.left().extend(written);
    }
}

/// Entries are of the installation: whoever finds one does not know yet whose it is.
fn context() -> Context {
    Context::new(SealedFor::Journal).at("journal", "entry")
}
