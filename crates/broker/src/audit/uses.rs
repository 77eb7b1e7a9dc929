//! Uses of credentials on their way to the log: bounded, and nobody waits for a place (house.md,
//! invariant 6).

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use claviger_model::{CredentialKey, Slug, Timestamp};
use tokio::sync::{mpsc, oneshot};

use super::Note;
use super::ship::Shipper;
use crate::Asker;
use crate::cache::Held;

/// One credential attached to one request.
#[derive(Debug)]
pub(crate) struct Use {
    pub(crate) by: Asker,
    pub(crate) server: Slug,
    pub(crate) of: Used,
}

/// Which credential was attached. What is in memory is shared, not copied.
#[derive(Debug)]
pub(crate) enum Used {
    /// The fixed headers of a server.
    Fixed(CredentialKey),
    /// A token.
    Held(Arc<Held>),
}

/// What waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) at: Timestamp,
    pub(super) what: What,
    /// Who waits until it is stored.
    pub(super) stored: Option<oneshot::Sender<()>>,
}

#[derive(Debug)]
pub(super) enum What {
    Note(Box<Note>),
    Use(Use),
}

/// The way in.
#[derive(Debug)]
pub(super) struct Uses {
    queue: mpsc::Sender<Waiting>,
    lost: Arc<AtomicU64>,
}

/// A queue of this length, and who empties it.
pub(super) fn queue(length: usize) -> (Uses, Shipper) {
    let (queue, waiting) = mpsc::channel(length);
    let lost = Arc::new(AtomicU64::new(0));
    let uses = Uses {
        queue,
        lost: Arc::clone(&lost),
    };
    (uses, Shipper::new(waiting, lost))
}

// === impl Uses ===

impl Uses {
    /// Takes a use if there is a place, and counts it as lost otherwise.
    pub(super) fn offer(&self, one: Use, at: Timestamp) {
        self.put(What::Use(one), at);
    }

    pub(super) fn offer_note(&self, note: Note, at: Timestamp) {
        self.put(What::Note(Box::new(note)), at);
    }

    /// Takes a use and says when it is stored; `None` if there is no place.
    pub(super) fn offer_strictly(&self, one: Use, at: Timestamp) -> Option<oneshot::Receiver<()>> {
        let (stored, heard) = oneshot::channel();
        let waiting = Waiting {
            at,
            what: What::Use(one),
            stored: Some(stored),
        };
        self.queue.try_send(waiting).ok().map(|()| heard)
    }

    fn put(&self, what: What, at: Timestamp) {
        let waiting = Waiting {
            at,
            what,
            stored: None,
        };
        if self.queue.try_send(waiting).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

// === impl Used ===

impl Used {
    pub(super) fn key(&self) -> &CredentialKey {
        match self {
            Self::Fixed(key) => key,
            Self::Held(held) => &held.row.key,
        }
    }

    pub(super) fn version(&self) -> Option<u64> {
        match self {
            Self::Fixed(_) => None,
            Self::Held(held) => Some(held.row.version),
        }
    }
}
