//! How many requests run at once, so that a flood of one kind does not hold up another.

use claviger_ports::{FetchError, Sink};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Turns to take before anything is looked up or sent.
#[derive(Debug)]
pub(crate) struct Turns {
    /// Client documents: any stranger with a browser may make us fetch one.
    strangers: Semaphore,
    /// Metadata, keys, probes, registrations.
    documents: Semaphore,
    /// Tokens: a refresh that comes too late costs its user the connection.
    tokens: Semaphore,
}

// === impl Turns ===

impl Turns {
    pub(crate) fn new(each: usize) -> Self {
        let each = each.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            strangers: Semaphore::new(each),
            documents: Semaphore::new(each),
            tokens: Semaphore::new(each),
        }
    }

    /// Waits for a turn; it is over when the permit is dropped.
    pub(crate) async fn take(&self, sink: Sink) -> Result<SemaphorePermit<'_>, FetchError> {
        let turns = match sink {
            Sink::ClientDocument => &self.strangers,
            Sink::Revocation | Sink::Token => &self.tokens,
            _ => &self.documents,
        };
        let turn = turns.acquire().await;
        turn.or(Err(FetchError::Connect {
            reason: "no requests are taken",
        }))
    }
}
