//! The one connection that writes, and who has it: group commit.
//!
//! Units of work take turns. One that is done does not commit at once: it queues again, behind
//! everybody who waits by now, and each of them works in the same transaction, behind a savepoint
//! of its own. When its turn comes it commits for all, and all are told. So whoever is alone
//! commits at once, a waiting crowd shares one fsync, and nobody has to be there in particular: a
//! caller who is given up leaves its place in the queue to the next.
//!
//! Nobody is answered before the commit, neither with success nor with "somebody was faster": what
//! a unit saw may be the work of another that is not on the disk yet.

use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::Arc;

use claviger_store::StoreError;
use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqlitePool};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;

use super::group::{Group, Told, Turn};
use super::unit::Unit;
use crate::error::store_error;

/// The connection that writes.
pub(super) struct Writer {
    /// It holds one.
    connections: SqlitePool,
    turn: Arc<Mutex<Turn>>,
    /// How many wait for it, have it, or wait to hear.
    present: AtomicUsize,
    /// How long somebody waits for a turn.
    patience: Duration,
}

/// Somebody who has to do with the writer. The last to leave leaves no transaction open behind
/// him: it would keep other processes from writing.
struct Presence<'a>(&'a Writer);

// === impl Writer ===

impl Writer {
    pub(super) fn new(connections: SqlitePool, patience: Duration) -> Self {
        Self {
            connections,
            turn: Arc::default(),
            present: AtomicUsize::new(0),
            patience,
        }
    }

    /// Does `work`, and answers when it is on the disk or undone.
    pub(super) async fn write<T, W>(&self, work: impl FnOnce(Unit) -> W) -> Result<T, StoreError>
    where
        W: Future<Output = Result<T, StoreError>>,
    {
        let _here = Presence::new(self);
        let unit = self.begin().await?;
        let told = unit.told();
        let answer = work(unit).await;
        match (self.settle(told).await, answer) {
            (Ok(()), answer) => answer,
            // Its own failure says best what is wrong.
            (Err(_), Err(own @ StoreError::Failed { .. })) => Err(own),
            (Err(ended), _) => Err(ended),
        }
    }

    /// The connection itself, outside of a transaction.
    pub(super) async fn connection(&self) -> sqlx::Result<PoolConnection<Sqlite>> {
        self.connections.acquire().await
    }

    pub(super) async fn close(&self) {
        self.connections.close().await;
    }

    async fn begin(&self) -> Result<Unit, StoreError> {
        let turn = Arc::clone(&self.turn).lock_owned();
        let Ok(mut turn) = timeout(self.patience, turn).await else {
            return Err(StoreError::Busy);
        };
        if let Some(group) = turn.make_room().await {
            group.set_savepoint().await.map_err(store_error)?;
        } else {
            // It holds the write lock from its start: it never fails half-way because another
            // process wrote in between.
            let begun = self.connections.begin_with("BEGIN IMMEDIATE").await;
            *turn = Turn::Open(Group::new(begun.map_err(store_error)?));
        }
        match OwnedMutexGuard::try_map(turn, Turn::group_mut) {
            Ok(group) => Ok(Unit::new(group)),
            Err(_idle) => Err(StoreError::Busy),
        }
    }

    /// Waits for the end of the group, or brings it about.
    async fn settle(&self, mut told: Told) -> Result<(), StoreError> {
        tokio::select! {
            biased;
            ended = told.hear() => return ended,
            mut turn = self.turn.lock() => {
                // Groups end one after the other, so that this one is ours or none.
                if told.now().is_none() {
                    turn.end().await;
                }
            }
        }
        told.hear().await
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

// === impl Presence ===

impl<'a> Presence<'a> {
    fn new(writer: &'a Writer) -> Self {
        writer.present.fetch_add(1, Ordering::SeqCst);
        Self(writer)
    }
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        let writer = self.0;
        if writer.present.fetch_sub(1, Ordering::SeqCst) > 1 {
            return;
        }
        // Whoever has it came meanwhile, and goes on with what he finds.
        if let Ok(mut turn) = writer.turn.try_lock()
            && writer.present.load(Ordering::SeqCst) == 0
        {
            *turn = Turn::Idle;
        }
    }
}

#[cfg(test)]
mod tests;
